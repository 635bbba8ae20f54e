"""`rum inspect`: show what the cells of a run do, and the loss around its weights."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli import suggest
from rumcli.cli import code, engine, options, pictures
from rumcli.errors import ConfigError
from rumcli.reporting import output
from rumcli.training import views

if TYPE_CHECKING:
    from rumcli.config import RunConfig
    from rumcli.training.inspection import Inspection

_SPLITS = ["validation", "test"]
_ALL = "all"
_DEFAULT = Path("inspect.png")


def inspect(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Picture to write: a .png, .svg or .pdf file. Default: inspect.png; with --json "
            "none.",
        ),
    ] = None,
    what: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="all, or some of angles, norm, gate, spectrum, landscape, with commas between.",
            autocompletion=options.completing(lambda: [_ALL, *views.VIEWS]),
        ),
    ] = _ALL,
    split: Annotated[
        str,
        typer.Option(
            help="validation or test.",
            autocompletion=options.completing(lambda: _SPLITS),
        ),
    ] = "validation",
    example: Annotated[int, options.integer("Number of the example in the split, from 0.")] = 0,
    checkpoint: options.Checkpoint = "best",
    grid: Annotated[
        int, options.integer("Points of the landscape in each direction, an odd number.")
    ] = 21,
    radius: Annotated[
        float, options.real("How far the landscape goes, in lengths of the weights.")
    ] = 1.0,
    batches: Annotated[
        int, options.integer("Batches of the split that each point is evaluated on.")
    ] = 1,
    seed: Annotated[int, options.integer("Seed of the landscape's directions.")] = 0,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="For runs of ptb or babi, other data than the run's own, or where that is now.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    trust_code: code.Trust = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Show what a run's cells do with an example, and the loss around its weights."""
    options.choose("--split", "split", split, _SPLITS)
    options.choose("--checkpoint", "checkpoint", checkpoint, options.CHECKPOINTS)
    options.at_least("--example", 0, example)
    options.at_least("--batches", 1, batches)
    options.at_least("--seed", 0, seed)
    _check_grid(grid, radius)
    names = _names(what)
    picture = out or (None if as_json else _DEFAULT)
    kind = pictures.check("--out", picture, force) if picture else ""
    from rumcli.config import Split
    from rumcli.training import material as materials
    from rumcli.training.run_folder import RunFolder

    folder = RunFolder.open(run)
    code.check(folder.config, trust_code)
    chosen = _chosen(names, what, folder.config, run)
    material = materials.for_evaluation(folder, Split(split), data)
    engine.start(debug)
    code.admit(folder.config)
    from rumcli.training.inspection import Request, inspect_run

    request = Request(Split(split), checkpoint, chosen, example, batches, grid, radius, seed)
    began = time.monotonic()
    with output.status() as tell:
        found = inspect_run(folder, request, material, tell)
    if picture:
        _draw(found, picture, kind, force)
        output.note(f"wrote {picture}{_cost(found, time.monotonic() - began)}")
    if as_json:
        output.show_json("inspect", found.to_json())


def _check_grid(grid: int, radius: float) -> None:
    options.at_least("--grid", 3, grid)
    if grid % 2 == 0:
        raise ConfigError(
            f"--grid {grid}: expected an odd number, so that the weights themselves are on the "
            f"grid; try {grid + 1}"
        )
    if not 0 < radius < float("inf"):
        raise ConfigError(f"--radius {radius:g}: expected a number greater than 0")


def _names(what: str) -> list[str]:
    """Return the names in `--what`; all that there are for "all"."""
    names = [name.strip() for name in what.split(",")]
    for name in names:
        if name not in (_ALL, *views.VIEWS):
            raise ConfigError(
                f"--what {what}: {suggest.unknown('view', name, [_ALL, *views.VIEWS])}"
            )
    return names


def _chosen(names: list[str], what: str, config: RunConfig, run: Path) -> list[str]:
    """Return what is drawn, and say what of "all" there is not."""
    there = views.possible(config)
    missing = [name for name in views.VIEWS if name not in there]
    if _ALL in names:
        if missing:
            lacking = _listed(missing, config)
            output.note(f"{run} is of '{config.cell.name}', which has no {lacking}")
        return there
    wrong = [name for name in names if name in missing]
    if wrong:
        lacking = _listed(wrong, config)
        raise ConfigError(
            f"--what {what}: {run} is of '{config.cell.name}', which has no {lacking}; "
            f"there are: {', '.join(there)}"
        )
    return [name for name in views.VIEWS if name in names]


def _listed(missing: list[str], config: RunConfig) -> str:
    has_option = hasattr(config.cell, "update_gate")  # and is without; others have gates too
    words = {
        "angles": "rotation",
        "gate": "update gate" if has_option else "update gate of RUM",
        "spectrum": "associative memory",
    }
    *others, last = [words[view] for view in missing]
    return f"{', no '.join(others)} and no {last}" if others else last


def _draw(found: Inspection, picture: Path, kind: str, force: bool) -> None:
    from rumcli.reporting import inside

    with output.new_file(picture, force) as file:
        inside.draw(found, file, kind)


def _cost(found: Inspection, seconds: float) -> str:
    landscape = found.landscape
    if landscape is None:
        return ""
    from rumcli.reporting import wording

    points, samples = landscape.losses.size, landscape.samples
    return f"; {points} points of {samples:,} samples in {wording.duration(seconds)}"
