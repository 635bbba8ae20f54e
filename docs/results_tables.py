"""Tables of `results.md`, generated from the measurements in `docs/results/`.

`python -m docs.results_tables collect FILE LABEL RUN…` adds finished runs to a row of a file,
`python -m docs.results_tables collect-sweep FILE SWEEP` writes the trials of a sweep to a file, and
`python -m docs.generate` updates the tables, each between `<!-- table: NAME -->` and
`<!-- end of table -->`. A test fails if the page and the measurements disagree.
"""

from __future__ import annotations

import json
import math
import re
import statistics
import sys
from pathlib import Path
from typing import Any

from rumcli import parsing
from rumcli.config import yaml_io

PAGE = Path(__file__).parent / "results.md"
FOLDER = Path(__file__).parent / "results"
_BLOCK = re.compile(r"(<!-- table: ([\w-]+) -->\n\n)(.*?)(\n\n<!-- end of table -->)", re.DOTALL)
# Losses of copying memory at which a learning curve is compared with others.
_CROSSED = (0.01, 0.001)

Measurements = dict[str, Any]


def page() -> str:
    """Return the text of the page with its tables generated anew.

    Raises:
        ValueError: If the page lacks a table, or has an unknown one.
    """
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
    made = {"summary": _summary(found)}
    made |= {name: _runs(content) for name, content in found.items() if content["kind"] == "runs"}
    made |= {
        name: _trials(content) for name, content in found.items() if content["kind"] == "trials"
    }
    text = PAGE.read_text("utf-8")
    names = [match[2] for match in _BLOCK.finditer(text)]
    if sorted(names) != sorted(made):
        raise ValueError(f"{PAGE.name} has the tables {sorted(names)}; expected {sorted(made)}")
    return _BLOCK.sub(lambda match: match[1] + made[match[2]] + match[4], text)


def collect(file: Path, label: str, runs: list[Path]) -> None:
    """Add finished runs to a row of a file of measurements, or replace those of the same seed.

    Args:
        file: File in `docs/results/` of kind `"runs"`.
        label: Name of the row.
        runs: Run directories.
    """
    content = json.loads(file.read_text("utf-8"))
    row = content["rows"].setdefault(label, {"runs": []})
    made = [_digest(run, content["metric"]) for run in runs]
    seeds = {run["seed"] for run in made}
    kept = [run for run in row["runs"] if run["seed"] not in seeds]
    row["runs"] = sorted([*kept, *made], key=lambda run: run["seed"])
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def collect_sweep(file: Path, sweep: Path) -> None:
    """Write the validations of a finished sweep over cells and learning rates to a file.

    Args:
        file: File to write, in `docs/results/`.
        sweep: Directory of the sweep.
    """
    report = parsing.parse_json((sweep / "results.json").read_bytes())
    rows: dict[str, dict[float, float]] = {}
    for point in report["points"]:
        cell, rate = (point["settings"][key] for key in ("cell.name", "optimizer.learning_rate"))
        rows.setdefault(cell, {})[rate] = round(point["validation"]["mean"], 6)
    rates = sorted({rate for values in rows.values() for rate in values}, reverse=True)
    content = {
        "kind": "trials",
        "metric": report["metric"],
        "higher_is_better": report["higher_is_better"],
        "learning_rates": rates,
        "rows": {cell: [values[rate] for rate in rates] for cell, values in sorted(rows.items())},
    }
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _digest(run: Path, metric: str) -> Measurements:
    config = yaml_io.read(run / "config.yaml").values
    summary = parsing.parse_json((run / "summary.json").read_bytes())
    lines = (run / "metrics.jsonl").read_bytes().splitlines()
    validations = [found for line in lines if "val_loss" in (found := parsing.parse_json(line))]
    return {
        "seed": config["seed"],
        "learning_rate": config["optimizer"]["learning_rate"],
        "batch_size": config["train"]["batch_size"],
        "weights": summary["parameters"],
        "steps": summary["steps"],
        "of_steps": config["train"]["steps"],
        "seconds": round(summary["seconds"]),
        "loss": summary["loss"],
        metric: summary[metric],
        "validation_loss": [[one["step"], round(one["val_loss"], 6)] for one in validations],
    }


def _runs(content: Measurements) -> str:
    """Return the table of a task's runs, ordered by `_rank`, with the steps to given losses."""
    rows = sorted(content["rows"].items(), key=lambda row: _rank(row[1]["runs"]))
    head = ["model", "loss", content["label"], "seeds", "learning rate", "weights", "steps"]
    head += [f"steps to loss {loss:g}" for loss in _CROSSED]
    lines = []
    for label, row in rows:
        runs = row["runs"]
        best = runs[0]
        lines.append(
            [
                label,
                _spread(runs, "loss", 1, 5),
                _spread(runs, content["metric"], 100, 1),
                str(len(runs)),
                f"{best['learning_rate']:g}",
                f"{best['weights']:,}",
                _range(runs),
                *(_crossing(runs, loss) for loss in _CROSSED),
            ]
        )
    return _table(head, lines)


def _trials(content: Measurements) -> str:
    """Return the table of a sweep: the best validation of each cell at each rate."""
    rates = content["learning_rates"]
    lines = []
    for cell, values in content["rows"].items():
        best = max(values) if content["higher_is_better"] else min(values)
        shown = [f"{value:.4f}" for value in values]
        lines.append(
            [
                f"`{cell}`",
                *(
                    f"**{text}**" if v == best else text
                    for text, v in zip(shown, values, strict=True)
                ),
            ]
        )
    return _table(["cell", *(f"rate {rate:g}" for rate in rates)], lines)


def _summary(found: dict[str, Measurements]) -> str:
    """Return one row per task and model: solved ones by steps, then the others by score."""
    lines = []
    for content in sorted(found.values(), key=lambda one: one.get("order", 99)):
        if "summary" not in content:
            continue
        rows = [_summary_row(content, label) for label in content["rows"]]
        rows.sort(key=lambda row: row[0])
        for number, (_, *row) in enumerate(rows):
            lines.append([content["summary"]["task"] if number == 0 else "", *row])
    head = ["task", "model", "score", "seeds", "learning rate", "steps", "time"]
    return _table(head, lines)


def _summary_row(content: Measurements, label: str) -> tuple[Any, ...]:
    """Return a sort key, which is smaller for a better model, and the cells of a row."""
    row, decimals = content["rows"][label], content["summary"]["decimals"]
    if "runs" not in row:  # measured before the runs were kept
        score = f"{row['mean']:.{decimals}f}"
        if row["seeds"] > 1:
            score += f" ± {row['deviation']:.{decimals}f}"
        rest = (str(row["seeds"]), row["learning_rate"], row["steps"], row["time"])
        sign = 1 if content["summary"]["lower_is_better"] else -1
        return (sign * row["mean"],), label, score, *rest
    runs, name = row["runs"], content["metric"]
    minutes = [run["seconds"] / 60 for run in runs]
    return (
        _rank(runs),
        label,
        _spread(runs, name, 100, decimals),
        str(len(runs)),
        f"{runs[0]['learning_rate']:g}",
        _range(runs),
        f"{statistics.fmean(minutes):.0f} min",
    )


def _rank(runs: list[Measurements]) -> tuple[float, float]:
    """Rank solved tasks by the steps to the lowest given loss, and the rest by the final loss.

    A run that ends when the task is solved has no lower loss than one that continues.
    """
    steps = [_first_below(run, _CROSSED[-1]) or math.inf for run in runs]
    return statistics.fmean(steps), statistics.fmean(run["loss"] for run in runs)


def _spread(runs: list[Measurements], name: str, factor: float, decimals: int) -> str:
    values = [factor * run[name] for run in runs]
    mean = f"{statistics.fmean(values):.{decimals}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{decimals}f}"


def _range(runs: list[Measurements]) -> str:
    steps = sorted({run["steps"] for run in runs})
    return "–".join(f"{one:,}" for one in (steps[0], steps[-1])[: len(steps)])


def _crossing(runs: list[Measurements], loss: float) -> str:
    """Return the first validated steps at which the runs are below a loss; a dash if one is not."""
    steps = [_first_below(run, loss) for run in runs]
    return ", ".join("–" if step is None else f"{step:,}" for step in steps)


def _first_below(run: Measurements, loss: float) -> int | None:
    return next((step for step, value in run["validation_loss"] if value < loss), None)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["collect", name, label, *runs] if runs:
            collect(Path(name), label, [Path(run) for run in runs])
        case ["collect-sweep", name, sweep]:
            collect_sweep(Path(name), Path(sweep))
        case _:
            sys.exit(__doc__)
