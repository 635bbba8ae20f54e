"""`rum inspect`: traces of a run's cells for one example, and the loss around its weights.

`rumcli.analysis.introspection` records the traces, and `rumcli.reporting.inspection_plot` draws
them.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli import errors, parsing
from rumcli.cli import _keras_startup, _options, _run_arguments
from rumcli.errors import ConfigError, RunError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.analysis.inspection import Inspection
    from rumcli.config import RunConfig
    from rumcli.training.run_dir import RunDir

VIEWS = ("angles", "norm", "gate", "spectrum", "landscape")

_SPLITS = ["validation", "test"]
_ALL = "all"
_DEFAULT = Path("inspect.png")


def possible_views(run: RunConfig) -> list[str]:
    """Return the names in `VIEWS` that apply to a run's cell or to a cell within it."""
    parts: list[Any] = [run.cell, getattr(run.cell, "fast", None), getattr(run.cell, "slow", None)]
    rotating = [part for part in parts if getattr(part, "name", "") in ("rum", "arum")]
    possible = {
        "angles": bool(rotating),
        "gate": any(part.update_gate for part in rotating),
        "spectrum": any(part.name == "arum" for part in rotating),
    }
    return [view for view in VIEWS if possible.get(view, True)]


def inspect(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run directory, or a directory of runs.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Plot to write: a .png, .svg or .pdf file. Default: inspect.png; none with "
            "--json. For several runs, a file for each, with the name of the run in it.",
        ),
    ] = None,
    views: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="all, or a comma-separated list of angles, norm, gate, spectrum and landscape.",
            autocompletion=_options.completing(lambda: [_ALL, *VIEWS]),
        ),
    ] = _ALL,
    split: Annotated[
        str,
        typer.Option(
            help="validation or test.",
            autocompletion=_options.completing(lambda: _SPLITS),
        ),
    ] = "validation",
    example: Annotated[int, _options.integer("Number of the example in the split, from 0.")] = 0,
    checkpoint: _options.CheckpointOption = "best",
    grid: Annotated[
        int, _options.integer("Number of points of the landscape in each direction; odd.")
    ] = 21,
    radius: Annotated[
        float,
        _options.real(
            "Extent of the landscape in each direction, relative to the norm of the weights."
        ),
    ] = 1.0,
    batches: Annotated[
        int, _options.integer("Number of batches of the split on which each point is evaluated.")
    ] = 1,
    seed: Annotated[int, _options.integer("Seed of the landscape's directions.")] = 0,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="For runs of ptb or babi: other data, or the new location of the run's data.",
        ),
    ] = None,
    force: _options.Force = False,
    trust_code: _run_arguments.Trust = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Show the behavior of a run's cells on an example, and the loss around its weights."""
    split = _options.choose("--split", "split", split, _SPLITS)
    checkpoint = _options.choose("--checkpoint", "checkpoint", checkpoint, _options.CHECKPOINTS)
    _options.at_least("--example", 0, example)
    _options.at_least("--batches", 1, batches)
    _options.at_least("--seed", 0, seed)
    _check_grid(grid, radius)
    names = _names(views)
    from rumcli.config import Split
    from rumcli.training import dataset_binding

    run_dirs = _open_run_dirs(run, checkpoint)
    if as_json and len(run_dirs) > 1:
        runs = ", ".join(str(run_dir.path) for run_dir in run_dirs)
        raise ConfigError(f"--json: {run} has several runs; expected one of: {runs}")
    plot_path = out or (None if as_json else _DEFAULT)
    plot_paths = _plot_paths(plot_path, run_dirs)
    kinds = [_options.check_plot_file("--out", place, force) for place in plot_paths if place]
    for run_dir in run_dirs:
        _run_arguments.check_trust(run_dir.config, trust_code, training=False)
    plans = [
        (
            run_dir,
            _select_views(names, views, run_dir.config, run_dir.path),
            dataset_binding.for_evaluation(run_dir, Split(split), data),
        )
        for run_dir in run_dirs
    ]
    _keras_startup.start(debug)
    for run_dir in run_dirs:
        _run_arguments.load_trusted(run_dir.config, training=False)
    from rumcli.analysis.inspection import InspectionRequest, inspect_run

    for place, (run_dir, selected, dataset) in zip(plot_paths, plans, strict=True):
        request = InspectionRequest(
            Split(split), checkpoint, selected, example, batches, grid, radius, seed
        )
        start = time.monotonic()
        with console.status() as report:
            inspection = inspect_run(run_dir, request, dataset, report)
        if place:
            _draw(inspection, place, kinds[0], force)
            console.note(f"wrote {place}{_cost(inspection, time.monotonic() - start)}")
        if as_json:
            console.show_document(inspection.document())


def _open_run_dirs(run: Path, checkpoint: str) -> list[RunDir]:
    """Return the selected run directories; for a directory of runs, those that can be inspected."""
    from rumcli.training import resume
    from rumcli.training.run_dir import RunDir

    inspection = _run_arguments.find_run_dirs([run], parts=True)
    opened = {one.path: RunDir.open(one.path) for one in inspection}
    missing = {path: resume.missing_checkpoint(opened[path], checkpoint) for path in opened}
    reasons = {path: why for path, why in missing.items() if why}
    usable = _run_arguments.usable_run_dirs(inspection, reasons, RunError)
    return [opened[one.path] for one in usable]


def _plot_paths(plot_path: Path | None, run_dirs: list[RunDir]) -> list[Path | None]:
    """Return the plot file of each run; for several runs, its name includes that of the run."""
    if plot_path is None or len(run_dirs) == 1:
        return [plot_path] * len(run_dirs)
    names = [run_dir.path.resolve().name for run_dir in run_dirs]
    return [plot_path.with_name(f"{plot_path.stem}-{name}{plot_path.suffix}") for name in names]


def _check_grid(grid: int, radius: float) -> None:
    _options.at_least("--grid", 3, grid)
    if grid % 2 == 0:
        raise ConfigError(
            f"--grid {grid}: expected an odd number, so that the weights themselves are on the "
            f"grid; try {grid + 1}"
        )
    if not 0 < radius < float("inf"):
        raise ConfigError(f"--radius {errors.number(radius)}: expected a number greater than 0")


def _names(views: str) -> list[str]:
    """Return the names in `--views`, with "all" expanded."""
    known = [_ALL, *VIEWS]
    names = [parsing.name(name, known) for name in views.split(",")]
    for name in names:
        if name not in known:
            raise ConfigError(f"--views {views}: {errors.unknown('view', name.strip(), known)}")
    return names


def _select_views(names: list[str], views: str, config: RunConfig, run: Path) -> list[str]:
    """Return the views to draw; print a note for views of "all" that the cell lacks."""
    possible = possible_views(config)
    missing = [name for name in VIEWS if name not in possible]
    if _ALL in names:
        if missing:
            lacking = _describe_missing(missing, config)
            console.note(f"{run} uses the cell '{config.cell.name}', which has no {lacking}")
        return possible
    wrong = [name for name in names if name in missing]
    if wrong:
        lacking = _describe_missing(wrong, config)
        raise ConfigError(
            f"--views {views}: {run} uses the cell '{config.cell.name}', which has no "
            f"{lacking}; expected some of: {', '.join(possible)}"
        )
    return [name for name in VIEWS if name in names]


def _describe_missing(missing: list[str], config: RunConfig) -> str:
    has_option = hasattr(config.cell, "update_gate")  # off here; others have other gates
    words = {
        "angles": "rotation",
        "gate": "update gate" if has_option else "update gate of RUM",
        "spectrum": "associative memory",
    }
    *others, last = [words[view] for view in missing]
    return f"{', no '.join(others)} and no {last}" if others else last


def _draw(inspection: Inspection, plot_path: Path, kind: str, force: bool) -> None:
    from rumcli.reporting import inspection_plot

    with console.new_file(plot_path, force) as file:
        inspection_plot.draw(inspection, file, kind)


def _cost(inspection: Inspection, seconds: float) -> str:
    landscape = inspection.landscape
    if landscape is None:
        return ""
    from rumcli.reporting import formatting

    points, samples = landscape.losses.size, landscape.samples
    return f"; {points} points of {samples:,} samples in {formatting.duration(seconds)}"
