"""Measure the time of a training step on one and two devices and processes of this machine.

Run `python -m docs.scaling` in the root of the repository. Each round runs every case once, so that
other load on the machine affects all of them. The first span, which includes compilation, is
discarded.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rumcli.reporting import console

_SPAN = 20


@dataclass(frozen=True)
class Case:
    """Devices and processes to measure.

    Attributes:
        name: Description of the case.
        cores: Number of cores of each process.
        devices: Number of devices of each process.
        processes: Number of processes.
    """

    name: str
    cores: int
    devices: int = 1
    processes: int = 1


_CASES = (
    Case("one device, one core", 1),
    Case("one device, two cores", 2),
    Case("two devices of one process, two cores", 2, devices=2),
    Case("two processes, one core each", 1, processes=2),
)


def milliseconds(case: Case, options: list[str], place: Path) -> float:
    """Return the mean time of a step of a run, in milliseconds.

    Args:
        case: Devices and processes.
        options: Options of `rum train`.
        place: Run directory to create.
    """
    command = [sys.executable, "-m", "rumcli", "train", "copying", "--quiet", *options]
    command += ["--set=train.checkpoint_every=1000000", f"--set=train.eval_every={_SPAN}"]
    command += ["--set=task.validation_examples=2", "--set=task.test_examples=2"]
    if case.devices > 1:
        command.append(f"--devices={case.devices}")
    if case.processes > 1:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        command += [f"--coordinator={address}", f"--processes={case.processes}"]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    usable = sorted(os.sched_getaffinity(0))
    running = []
    for number in range(case.processes):
        own = [f"--process={number}"] if case.processes > 1 else []
        own += [f"--out={place}"] if number == 0 else []
        cores = usable[number * case.cores : (number + 1) * case.cores]
        start = ["taskset", "--cpu-list", ",".join(map(str, cores))]
        running.append(subprocess.Popen([*start, *command, *own], env=environment))
    codes = [process.wait() for process in running]
    if any(codes):
        sys.exit(f"{case.name}: failed")
    lines = (place / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ends = [json.loads(line) for line in lines]
    return 1000 * (ends[-1]["seconds"] - ends[0]["seconds"]) / (ends[-1]["step"] - ends[0]["step"])


def main() -> None:
    """Print the median, minimum and maximum of each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--delay", type=int, default=50)
    parser.add_argument("--cell", default="rum")
    asked = parser.parse_args()
    options = [f"--steps={asked.steps}", f"--delay={asked.delay}", f"--cell={asked.cell}"]
    found: dict[Case, list[float]] = {case: [] for case in _CASES}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.rounds):
            for position, case in enumerate(_CASES):
                place = Path(folder) / f"{number}-{position}"
                found[case].append(milliseconds(case, options, place))
    for case, times in found.items():
        middle = statistics.median(times)
        console.show_text(
            f"{case.name}: {middle:.1f} ms a step ({min(times):.1f} to {max(times):.1f})"
        )


if __name__ == "__main__":
    main()
