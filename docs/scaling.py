"""Measure how the pace of a training step scales from one process to two, on this machine.

From the root of the repository: `python -m docs.scaling`. Each round runs each case once, so that
what else the machine does falls on all of them. The first span, with everything that is compiled in
it, does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rumcli.reporting import output

_SPAN = 20
_CASES = {
    "one process, one core": ([], 1),
    "one process, two cores": ([], 2),
    "two processes, one core each": (["--workers=2"], 2),
}


def milliseconds(options: list[str], cores: int, steps: int, place: Path) -> float:
    """Return the mean time of a step of a run, in milliseconds."""
    command = [sys.executable, "-m", "rumcli", "train", "copying", "--quiet", f"--out={place}"]
    settings = ["train.checkpoint_every=1000000", f"train.eval_every={_SPAN}"]
    settings += ["task.validation_examples=2", "task.test_examples=2"]
    command += [f"--steps={steps}", *(f"--set={one}" for one in settings), *options]
    usable = sorted(os.sched_getaffinity(0))[:cores]
    subprocess.run(command, check=True, preexec_fn=lambda: os.sched_setaffinity(0, usable))
    lines = (place / "metrics.jsonl").read_text().splitlines()
    ends = [json.loads(line) for line in lines]
    return 1000 * (ends[-1]["seconds"] - ends[0]["seconds"]) / (ends[-1]["step"] - ends[0]["step"])


def main() -> None:
    """Print the median of each case, with the lowest and the highest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--delay", type=int, default=200)
    parser.add_argument("--cell", default="rum")
    asked = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in _CASES}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.rounds):
            for name, (options, cores) in _CASES.items():
                place = Path(folder) / f"{number}-{len(found[name])}-{cores}-{len(options)}"
                options = [*options, f"--delay={asked.delay}", f"--cell={asked.cell}"]
                found[name].append(milliseconds(options, cores, asked.steps, place))
    for name, times in found.items():
        middle = statistics.median(times)
        output.show_text(f"{name}: {middle:.1f} ms a step ({min(times):.1f} to {max(times):.1f})")


if __name__ == "__main__":
    main()
