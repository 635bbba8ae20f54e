"""`rum presets`: list, show and copy the presets of the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli import folders
from rumcli.cli import code, engine, examples, options
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


@app.command("list", cls=options.Command, epilog=examples.epilog("presets list"))
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


@app.command("show", cls=options.Command, epilog=examples.epilog("presets show"))
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Name of a preset, a run directory, or a YAML file.",
            autocompletion=options.completing(options.presets),
        ),
    ],
    summary: Annotated[
        bool, typer.Option("--summary", help="Show its model instead: layers, shapes, weights.")
    ] = False,
    trust_code: code.Trust = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Print the YAML of a preset, a run or a file, or the layers of its model."""
    from rumcli.config import presets, yaml_file
    from rumcli.documents.configurations import Preset

    source = _source(name)
    path = presets.locate(source)
    if summary:
        _summarize(source, name, trust_code, as_json, debug)
    elif as_json:
        output.show_document(Preset(preset=name, config=yaml_file.read(path).values))
    else:
        output.show_text(path.read_text(encoding="utf-8"))


def _source(name: str) -> str:
    """Return a name, or a file with a valid configuration: that of a run directory, or any.

    Raises:
        ConfigError: If there is none, or it is not a configuration.
    """
    from rumcli import config
    from rumcli.config import presets
    from rumcli.training.run_folder import CONFIG, RunFolder

    if presets.is_name(name):
        return name
    path = Path(name)
    if folders.exists(path) and path.is_dir():
        name = str(RunFolder.open(path).path.absolute() / CONFIG)
    config.build(name)
    return name


def _summarize(source: str, name: str, trusted: bool, as_json: bool, debug: bool) -> None:
    from rumcli import config

    run = config.build(source)
    code.check(run, trusted, training=False)
    engine.start(debug)
    code.admit(run, training=False)
    from rumcli.reporting import tables
    from rumcli.tasks.summary import summarize

    with output.status() as report:
        report("building the model")
        found = summarize(run, name)
    if as_json:
        output.show_document(found)
    else:
        output.show(tables.model(found))


@app.command("copy", cls=options.Command, epilog=examples.epilog("presets copy"))
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
