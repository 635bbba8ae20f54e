"""`rum plot`: draw the learning curves of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli import suggest
from rumcli.cli import options, pictures
from rumcli.errors import ConfigError
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.reporting.curves import Curve, Level
    from rumcli.training.run_folder import RunFolder

_OVER = ["steps", "time"]
_DEFAULT = Path("curves.png")


def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.")],
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
            help="What to draw of the validations, as in loss or bits_per_character. "
            "Default: what chooses the best checkpoint.",
        ),
    ] = None,
    over: Annotated[
        str,
        typer.Option(
            help="What goes to the right: steps or time.",
            autocompletion=options.completing(lambda: _OVER),
        ),
    ] = "steps",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Draw the validations of one or more runs, with their task's reference level."""
    options.choose("--over", "axis", over, _OVER)
    picture = out or (None if as_json else _DEFAULT)
    kind = pictures.check("--out", picture, force) if picture else ""
    from rumcli.reporting import curves
    from rumcli.training.run_folder import RunFolder

    folders = [RunFolder.open(path) for path in runs]
    records = [_records(folder) for folder in folders]
    key = f"val_{metric or _monitored(folders)}"
    for path, found in zip(runs, records, strict=True):
        _check(path, found, key)
    drawn = [
        curves.Curve(label, folder.config.task.name, found)
        for label, folder, found in zip(_labels(runs, folders), folders, records, strict=True)
    ]
    levels = _levels(folders, key)
    if picture:
        with output.new_file(picture, force) as file:
            curves.draw(drawn, levels, key, over, file, kind)
        output.note(f"wrote {picture}")
    if as_json:
        output.show_json("plot", _document(runs, drawn, levels, key, picture))


def _document(
    runs: list[Path], drawn: list[Curve], levels: list[Level], key: str, picture: Path | None
) -> dict[str, Any]:
    return {
        "metric": key.removeprefix("val_"),
        "runs": [
            {
                "folder": str(path),
                "label": curve.label,
                "points": [
                    {
                        "step": record["step"],
                        "seconds": record.get("seconds"),
                        "value": record.get(key),
                    }
                    for record in curve.records
                ],
            }
            for path, curve in zip(runs, drawn, strict=True)
        ],
        "levels": [{"label": level.label, "value": level.value} for level in levels],
        "picture": None if picture is None else str(picture),
    }


def _labels(runs: list[Path], folders: list[RunFolder]) -> list[str]:
    """Label runs by what differs between them, and by their folders where that is not enough."""
    from rumcli import config

    names = options.labels(runs)
    found = config.labels([folder.config for folder in folders])
    return [
        label if label and found.count(label) == 1 else ", ".join(filter(None, (label, name)))
        for label, name in zip(found, names, strict=True)
    ]


def _records(folder: RunFolder) -> list[dict[str, Any]]:
    found = folder.records()
    if not found:
        raise ConfigError(f"{folder.path} has no evaluation yet; nothing to draw")
    return found


def _references(folders: list[RunFolder]) -> list[dict[str, Any]]:
    """Return the reference levels of runs, of which old unfinished ones have none."""
    found = [folder.reference for folder in folders]
    return [reference for reference in found if reference is not None]


def _monitored(folders: list[RunFolder]) -> str:
    found = {reference["of"] for reference in _references(folders)}
    return found.pop() if len(found) == 1 else "loss"


def _check(path: Path, records: list[dict[str, Any]], key: str) -> None:
    known = [name.removeprefix("val_") for name in records[0] if name.startswith("val_")]
    name = key.removeprefix("val_")
    if name not in known:
        raise ConfigError(f"--metric {name}: {path}: {suggest.unknown('metric', name, known)}")


def _levels(folders: list[RunFolder], key: str) -> list[Level]:
    from rumcli.reporting.curves import Level

    here = [r for r in _references(folders) if f"val_{r['of']}" == key]
    found = [Level(reference["label"], reference["level"]) for reference in here]
    found += [
        Level("published", reference["published"])
        for reference in here
        if reference.get("published")
    ]
    return list(dict.fromkeys(found))
