"""`rum presets`: list, show and copy the presets of the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli.cli import engine, options
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.documents.configurations import PresetRow

app = typer.Typer(cls=options.Group, help="List, show or copy the presets.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Name of a preset.", autocompletion=options.completing(options.presets)
    ),
]


@app.command("list", cls=options.Command)
def list_presets(as_json: options.Json = False, debug: options.Debug = False) -> None:
    """List the presets."""
    from rumcli.config import presets
    from rumcli.documents.configurations import PresetList

    found = PresetList(presets=[_row(name) for name in presets.names()])
    if as_json:
        output.show_document(found)
        return
    from rumcli.reporting import tables

    output.show(tables.presets(found.presets))


@app.command("show", cls=options.Command)
def show(
    name: Name,
    summary: Annotated[
        bool, typer.Option("--summary", help="Show its model instead: layers, shapes, weights.")
    ] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Print a preset's YAML, or what its model is made of."""
    from rumcli.config import presets, yaml_file
    from rumcli.documents.configurations import Preset

    path = presets.path_of(name)
    if summary:
        _summarize(name, as_json, debug)
    elif as_json:
        output.show_document(Preset(preset=name, config=yaml_file.read(path).values))
    else:
        output.show_text(path.read_text(encoding="utf-8"))


def _summarize(name: str, as_json: bool, debug: bool) -> None:
    from rumcli import config

    run = config.build(name)
    engine.start(debug)
    from rumcli.reporting import tables
    from rumcli.tasks.summary import summarize

    with output.status() as report:
        report("building the model")
        found = summarize(run, name)
    if as_json:
        output.show_document(found)
    else:
        output.show(tables.model(found))


@app.command("copy", cls=options.Command)
def copy(
    name: Name,
    destination: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="File to write. Default: NAME.yaml.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Copy a preset, to change it and to train with --preset FILE."""
    from rumcli.config import presets
    from rumcli.documents.configurations import PresetCopy

    content = presets.path_of(name).read_bytes()
    path = destination or Path(f"{name}.yaml")
    with output.new_file(path, force) as file:
        file.write(content)
    output.note(f"wrote {path}; to use it: rum train --preset {path}")
    if as_json:
        output.show_document(PresetCopy(preset=name, path=str(path)))


def _row(name: str) -> PresetRow:
    from rumcli.config import presets, yaml_file
    from rumcli.documents.configurations import PresetRow

    values = yaml_file.read(presets.path_of(name)).values
    return PresetRow(name=name, task=values["task"]["name"], description=values["description"])
