"""`rum plot`: draw the learning curves of runs, or their test metric over the length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli import errors, parsing
from rumcli.cli import _keras_startup, _options, _run_arguments
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rumcli.json_schemas.base import Document
    from rumcli.reporting.plots import Curve, Level
    from rumcli.training.run_dir import RunDir

_OVER = ["steps", "time", "length"]
_LENGTHS = (1, 2, 4, 8)  # default lengths, as multiples of the training length
_THEMES = ["light", "dark"]
_DEFAULT = Path("curves.png")


def plot(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run directories, or directories of runs."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Plot to write: a .png, .svg or .pdf file. Default: curves.png; none with --json.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Validation metric to draw, such as loss or bits_per_character. "
            "Default: the one that selects the best checkpoint.",
        ),
    ] = None,
    over: Annotated[
        str,
        typer.Option(
            help="Horizontal axis: steps, time, or length, which evaluates the runs at other "
            "lengths.",
            autocompletion=_options.completing(lambda: _OVER),
        ),
    ] = "steps",
    theme: Annotated[
        str,
        typer.Option(
            help="Colors of the plot: light, or dark with a transparent background.",
            autocompletion=_options.completing(lambda: _THEMES),
        ),
    ] = "light",
    length: Annotated[
        list[int] | None,
        _options.integer(
            "With --over length: length of the sequences. May be repeated. Default: 1, 2, 4 and 8 "
            "times the training length."
        ),
    ] = None,
    force: _options.Force = False,
    trust_code: _run_arguments.Trust = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Draw the validations of one or more runs, with their task's baseline.

    With --over length: the test metric on sequences of several lengths.
    """
    over = _options.choose("--over", "axis", over, _OVER)
    theme = _options.choose("--theme", "theme", theme, _THEMES)
    path = out or (None if as_json else _DEFAULT)
    kind = _options.check_plot_file("--out", path, force) if path else ""
    if over == "length":
        paths, drawing = _collect_lengths(runs, metric, length or (), trust_code, debug)
    elif length:
        raise ConfigError(f"--length {length[0]} requires --over length")
    else:
        paths, drawing = collect(runs, metric)
    if path:
        drawing.save(path, kind, over, theme, force)
        console.note(f"wrote {path}")
    if as_json:
        console.show_document(_document(paths, drawing, path))


@dataclass(frozen=True)
class Drawing:
    """Learning curves that can be drawn.

    Attributes:
        curves: Learning curve of each run.
        levels: Horizontal reference lines.
        key: Key of the records that is drawn.
    """

    curves: list[Curve]
    levels: list[Level]
    key: str

    def figure(self, over: str, theme: str) -> Figure:
        """Return the curves as a matplotlib figure.

        Args:
            over: `"steps"`, `"time"` or `"length"`.
            theme: `"light"` or `"dark"`.
        """
        from rumcli.reporting import plots

        return plots.curves_figure(self.curves, self.levels, self.key, over, theme)

    def save(self, path: Path, kind: str, over: str, theme: str, force: bool) -> None:
        """Write the curves to a file.

        Args:
            path: File to write.
            kind: Format of the file.
            over: As for `figure`.
            theme: As for `figure`.
            force: Whether to replace an existing file.

        Raises:
            ConfigError: If the file exists or cannot be written.
        """
        from rumcli.reporting import plots

        with console.new_file(path, force) as file:
            plots.draw_curves(self.curves, self.levels, self.key, over, file, kind, theme)


def collect(runs: list[Path], metric: str | None) -> tuple[list[Path], Drawing]:
    """Read the learning curves of runs.

    Args:
        runs: Run directories, or directories of runs.
        metric: Validation metric; None for the one that selects the best checkpoint.

    Returns:
        The run directories, and their curves.

    Raises:
        ConfigError: If a directory is not a run, has no validation yet, or lacks the metric.
    """
    from rumcli.reporting import plots
    from rumcli.training.run_dir import RunDir

    usable = _run_arguments.find_run_dirs(runs, parts=True)
    opened = {run.path: RunDir.open(run.path) for run in usable}
    records = {path: run_dir.records() for path, run_dir in opened.items()}
    unevaluated = {
        path: f"{path} has no evaluation yet; nothing to draw"
        for path in records
        if not records[path]
    }
    usable = _run_arguments.usable_run_dirs(usable, unevaluated, ConfigError)
    name = metric or _monitored([opened[run.path] for run in usable])
    known = {metric for run in usable for metric in _metrics(records[run.path])}
    key = f"val_{parsing.name(name, known)}"
    problems = {run.path: _missing_metric(key, run.path, records[run.path]) for run in usable}
    reasons = {path: why for path, why in problems.items() if why}
    usable = _run_arguments.usable_run_dirs(usable, reasons, ConfigError)
    paths = [run.path for run in usable]
    run_dirs = [opened[path] for path in paths]
    curves = [
        plots.Curve(label, task.label, records[run_dir.path], task.loss_unit)
        for label, run_dir in zip(_labels(paths, run_dirs), run_dirs, strict=True)
        for task in [run_dir.config.task]
    ]
    return paths, Drawing(curves, levels_of(run_dirs, key), key)


def _collect_lengths(
    runs: list[Path], metric: str | None, lengths: Sequence[int], trusted: bool, debug: bool
) -> tuple[list[Path], Drawing]:
    """Evaluate the best weights of runs on the test split at several lengths."""
    from rumcli.config import Split, at_length
    from rumcli.reporting import plots
    from rumcli.training import resume
    from rumcli.training.run_dir import RunDir

    run_dirs = [RunDir.open(run.path) for run in _run_arguments.find_run_dirs(runs, parts=True)]
    name = metric or _monitored(run_dirs)
    plans = []
    for run_dir in run_dirs:
        task = run_dir.config.task
        _run_arguments.check_trust(run_dir.config, trusted, training=False)
        if task.metrics and name not in (*task.validated_metrics(),):
            unknown = errors.unknown("metric", name, task.validated_metrics())
            raise ConfigError(f"--metric {name}: {run_dir.path}: {unknown}")
        training_length = getattr(task, task.length_key or "", 1)
        plans.append(sorted(set(lengths or [factor * training_length for factor in _LENGTHS])))
        for length in plans[-1]:
            at_length(run_dir.config, length)
        resume.require_checkpoint(run_dir, "best")
    _keras_startup.start(debug)
    from rumcli.training.evaluation import evaluate_lengths, load_checkpoint

    key, curves = f"test_{name}", []
    labels = _labels([run_dir.path for run_dir in run_dirs], run_dirs)
    for label, run_dir, plan in zip(labels, run_dirs, plans, strict=True):
        with console.status() as report:
            results = evaluate_lengths(run_dir, Split.TEST, "best", plan, report)
        step = load_checkpoint(run_dir, "best").step
        records = [{"step": step, "length": one["length"], key: one[name]} for one in results]
        task = run_dir.config.task
        curves.append(plots.Curve(label, task.label, records, task.loss_unit))
    paths = [run_dir.path for run_dir in run_dirs]
    return paths, Drawing(curves, levels_of(run_dirs, f"val_{name}"), key)


def save_curves(run_dir: RunDir) -> list[float]:
    """Draw the monitored metric of a run to `curves.svg` in its directory.

    Args:
        run_dir: Run directory of a finished run.

    Returns:
        The value of the metric at each validation; empty if there is none.

    Raises:
        OSError: If the plot cannot be written.
    """
    from rumcli import atomic_io
    from rumcli.reporting import plots

    key, values = validations(run_dir)
    if values:
        task = run_dir.config.task
        curve = plots.Curve(run_dir.path.name, task.label, run_dir.records(), task.loss_unit)
        levels = levels_of([run_dir], key)
        with atomic_io.replacing(run_dir.path / "curves.svg") as file:
            plots.draw_curves([curve], levels, key, "steps", file, "svg")
    return values


def validations(run_dir: RunDir) -> tuple[str, list[float]]:
    """Return the key of the monitored metric of a run, and its value at each validation."""
    key = f"val_{_monitored([run_dir])}"
    return key, [r[key] for r in run_dir.records() if r.get(key) is not None]


def _document(runs: list[Path], drawing: Drawing, plot_file: Path | None) -> Document:
    from rumcli.json_schemas.analysis import (
        CurveLevel,
        CurvePoint,
        LearningCurve,
        LearningCurves,
    )

    return LearningCurves(
        metric=drawing.key.partition("_")[2],
        runs=[
            LearningCurve(
                folder=str(path),
                label=curve.label,
                points=[
                    CurvePoint(
                        step=record["step"],
                        seconds=record.get("seconds"),
                        value=record.get(drawing.key),
                        **{key: record[key] for key in ("length",) if key in record},
                    )
                    for record in curve.records
                ],
            )
            for path, curve in zip(runs, drawing.curves, strict=True)
        ],
        levels=[CurveLevel.model_validate(level) for level in drawing.levels],
        plot=None if plot_file is None else str(plot_file),
    )


def _labels(runs: list[Path], run_dirs: list[RunDir]) -> list[str]:
    """Label runs by their differences, and by their directories if those are not unique."""
    from rumcli import config

    names = _options.labels(runs)
    labels = config.labels([run_dir.config for run_dir in run_dirs])
    return [
        label if label and labels.count(label) == 1 else ", ".join(filter(None, (label, name)))
        for label, name in zip(labels, names, strict=True)
    ]


def _baselines(run_dirs: list[RunDir]) -> list[dict[str, Any]]:
    """Return the baselines of runs; unfinished runs of earlier versions have none."""
    baselines = [run_dir.baseline for run_dir in run_dirs]
    return [baseline for baseline in baselines if baseline is not None]


def _monitored(run_dirs: list[RunDir]) -> str:
    metrics = {baseline["metric"] for baseline in _baselines(run_dirs)}
    return metrics.pop() if len(metrics) == 1 else "loss"


def _metrics(records: list[dict[str, Any]]) -> list[str]:
    return [name.removeprefix("val_") for name in records[0] if name.startswith("val_")]


def _missing_metric(key: str, path: Path, records: list[dict[str, Any]]) -> str | None:
    """Return the reason why a metric of a run cannot be drawn; None if it can."""
    known, name = _metrics(records), key.removeprefix("val_")
    if name in known:
        return None
    return f"--metric {name}: {path}: {errors.unknown('metric', name, known)}"


def levels_of(run_dirs: list[RunDir], key: str) -> list[Level]:
    """Return the baselines and published results of runs.

    Args:
        run_dirs: Run directories.
        key: Key of the records that is drawn, such as `val_loss`.
    """
    from rumcli.reporting.plots import Level

    baselines = [one for one in _baselines(run_dirs) if f"val_{one['metric']}" == key]
    levels = [Level(baseline["label"], baseline["value"]) for baseline in baselines]
    levels += [
        Level("published", baseline["published"])
        for baseline in baselines
        if baseline.get("published")
    ]
    return list(dict.fromkeys(levels))
