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
_LENGTHS = (1, 2, 4, 8)  # default lengths, in lengths of the training
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
            help="Picture to write: a .png, .svg or .pdf file. Default: curves.png; with --json "
            "none.",
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
            help="Colors of the picture: light, or dark with a transparent background.",
            autocompletion=_options.completing(lambda: _THEMES),
        ),
    ] = "light",
    length: Annotated[
        list[int] | None,
        _options.integer(
            "With --over length: a length of the sequences. May be repeated. Default: 1, 2, 4 and "
            "8 times that of the training."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    trust_code: _run_arguments.Trust = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Draw the validations of one or more runs, with their task's baseline.

    With --over length: the test metric on sequences of several lengths.
    """
    over = _options.choose("--over", "axis", over, _OVER)
    theme = _options.choose("--theme", "theme", theme, _THEMES)
    picture = out or (None if as_json else _DEFAULT)
    kind = _options.check_plot_file("--out", picture, force) if picture else ""
    if over == "length":
        paths, drawing = _collect_lengths(runs, metric, length or (), trust_code, debug)
    elif length:
        raise ConfigError(f"--length {length[0]} needs --over length")
    else:
        paths, drawing = collect(runs, metric)
    if picture:
        drawing.save(picture, kind, over, theme, force)
        console.note(f"wrote {picture}")
    if as_json:
        console.show_document(_document(paths, drawing, picture))


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

    def save(self, picture: Path, kind: str, over: str, theme: str, force: bool) -> None:
        """Write the curves to a file.

        Args:
            picture: File to write.
            kind: Format of the file.
            over: As for `figure`.
            theme: As for `figure`.
            force: Whether to replace an existing file.

        Raises:
            ConfigError: If the file exists or cannot be written.
        """
        from rumcli.reporting import plots

        with console.new_file(picture, force) as file:
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

    found = _run_arguments.find_run_dirs(runs, parts=True)
    opened = {run.path: RunDir.open(run.path) for run in found}
    records = {path: folder.records() for path, folder in opened.items()}
    young = {path: _without_records(path) for path in records if not records[path]}
    found = _run_arguments.usable_run_dirs(found, young, ConfigError)
    name = metric or _monitored([opened[run.path] for run in found])
    known = {metric for run in found for metric in _metrics(records[run.path])}
    key = f"val_{parsing.name(name, known)}"
    lacking = {run.path: _without(key, run.path, records[run.path]) for run in found}
    reasons = {path: why for path, why in lacking.items() if why}
    found = _run_arguments.usable_run_dirs(found, reasons, ConfigError)
    paths = [run.path for run in found]
    folders = [opened[path] for path in paths]
    drawn = [
        plots.Curve(label, task.label, records[folder.path], task.loss_unit)
        for label, folder in zip(_labels(paths, folders), folders, strict=True)
        for task in [folder.config.task]
    ]
    return paths, Drawing(drawn, levels_of(folders, key), key)


def _collect_lengths(
    runs: list[Path], metric: str | None, lengths: Sequence[int], trusted: bool, debug: bool
) -> tuple[list[Path], Drawing]:
    """Evaluate the best weights of runs on the test split at several lengths."""
    from rumcli.config import Split, at_length
    from rumcli.reporting import plots
    from rumcli.training import resume
    from rumcli.training.run_dir import RunDir

    folders = [RunDir.open(run.path) for run in _run_arguments.find_run_dirs(runs, parts=True)]
    name = metric or _monitored(folders)
    plans = []
    for folder in folders:
        task = folder.config.task
        _run_arguments.check_trust(folder.config, trusted, training=False)
        if task.metrics and name not in (*task.validated_metrics(),):
            unknown = errors.unknown("metric", name, task.validated_metrics())
            raise ConfigError(f"--metric {name}: {folder.path}: {unknown}")
        whole = getattr(task, task.length_key or "", 1)
        plans.append(sorted(set(lengths or [factor * whole for factor in _LENGTHS])))
        for length in plans[-1]:
            at_length(folder.config, length)
        resume.require_checkpoint(folder, "best")
    _keras_startup.start(debug)
    from rumcli.training.evaluation import evaluate_lengths, load_checkpoint

    key, curves = f"test_{name}", []
    labels = _labels([folder.path for folder in folders], folders)
    for label, folder, plan in zip(labels, folders, plans, strict=True):
        with console.status() as report:
            found = evaluate_lengths(folder, Split.TEST, "best", plan, report)
        step = load_checkpoint(folder, "best").step
        records = [{"step": step, "length": one["length"], key: one[name]} for one in found]
        task = folder.config.task
        curves.append(plots.Curve(label, task.label, records, task.loss_unit))
    paths = [folder.path for folder in folders]
    return paths, Drawing(curves, levels_of(folders, f"val_{name}"), key)


def save_curves(folder: RunDir) -> list[float]:
    """Draw the monitored metric of a run to `curves.svg` in its directory.

    Args:
        folder: Run directory of a finished run.

    Returns:
        The value of the metric at each validation; empty if there is none.

    Raises:
        OSError: If the plot cannot be written.
    """
    from rumcli import atomic_io
    from rumcli.reporting import plots

    key, values = validations(folder)
    if values:
        task = folder.config.task
        curve = plots.Curve(folder.path.name, task.label, folder.records(), task.loss_unit)
        levels = levels_of([folder], key)
        with atomic_io.replacing(folder.path / "curves.svg") as file:
            plots.draw_curves([curve], levels, key, "steps", file, "svg")
    return values


def validations(folder: RunDir) -> tuple[str, list[float]]:
    """Return the key of the monitored metric of a run, and its value at each validation."""
    key = f"val_{_monitored([folder])}"
    return key, [r[key] for r in folder.records() if r.get(key) is not None]


def _document(runs: list[Path], drawing: Drawing, picture: Path | None) -> Document:
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
                        length=record.get("length"),
                    )
                    for record in curve.records
                ],
            )
            for path, curve in zip(runs, drawing.curves, strict=True)
        ],
        levels=[CurveLevel.model_validate(level) for level in drawing.levels],
        picture=None if picture is None else str(picture),
    )


def _labels(runs: list[Path], folders: list[RunDir]) -> list[str]:
    """Label runs by their differences, and by their directories if those are not unique."""
    from rumcli import config

    names = _options.labels(runs)
    found = config.labels([folder.config for folder in folders])
    return [
        label if label and found.count(label) == 1 else ", ".join(filter(None, (label, name)))
        for label, name in zip(found, names, strict=True)
    ]


def _without_records(path: Path) -> str:
    return f"{path} has no evaluation yet; nothing to draw"


def _references(folders: list[RunDir]) -> list[dict[str, Any]]:
    """Return the baselines of runs; unfinished runs of earlier versions have none."""
    found = [folder.baseline for folder in folders]
    return [baseline for baseline in found if baseline is not None]


def _monitored(folders: list[RunDir]) -> str:
    found = {baseline["metric"] for baseline in _references(folders)}
    return found.pop() if len(found) == 1 else "loss"


def _metrics(records: list[dict[str, Any]]) -> list[str]:
    return [name.removeprefix("val_") for name in records[0] if name.startswith("val_")]


def _without(key: str, path: Path, records: list[dict[str, Any]]) -> str | None:
    """Return the reason why a metric of a run cannot be drawn; None if it can."""
    known, name = _metrics(records), key.removeprefix("val_")
    if name in known:
        return None
    return f"--metric {name}: {path}: {errors.unknown('metric', name, known)}"


def levels_of(folders: list[RunDir], key: str) -> list[Level]:
    """Return the baselines and published results of runs.

    Args:
        folders: Run directories.
        key: Key of the records that is drawn, such as `val_loss`.
    """
    from rumcli.reporting.plots import Level

    here = [r for r in _references(folders) if f"val_{r['metric']}" == key]
    found = [Level(baseline["label"], baseline["value"]) for baseline in here]
    found += [
        Level("published", baseline["published"]) for baseline in here if baseline.get("published")
    ]
    return list(dict.fromkeys(found))
