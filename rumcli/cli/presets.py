"""`rum presets`: list, show and copy the presets of the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli import output_dirs
from rumcli.cli import _keras_startup, _options, _run_arguments
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.json_schemas.inputs import PresetRow

app = typer.Typer(
    cls=_options.CommandGroup, help="List, show or copy the presets.", no_args_is_help=True
)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Name of a preset.",
        autocompletion=_options.completing(_options.presets),
    ),
]


@app.command("list", cls=_options.Command, epilog=_options.epilog("presets list"))
def list_presets(as_json: _options.Json = False, debug: _options.Debug = False) -> None:
    """List the presets."""
    from rumcli.config import catalog
    from rumcli.json_schemas.inputs import PresetList

    document = PresetList(presets=[_row(name) for name in catalog.preset_names()])
    if as_json:
        console.show_document(document)
        return
    from rumcli.reporting import result_tables

    console.show(result_tables.presets(document.presets))


@app.command("show", cls=_options.Command, epilog=_options.epilog("presets show"))
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Name of a preset, a run directory, or a YAML file.",
            autocompletion=_options.completing(_options.presets),
        ),
    ],
    summary: Annotated[
        bool, typer.Option("--summary", help="Show its model instead: layers, shapes, weights.")
    ] = False,
    trust_code: _run_arguments.Trust = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Print the YAML of a preset, a run or a file, or the layers of its model."""
    from rumcli.config import catalog, yaml_io
    from rumcli.json_schemas.inputs import Preset, PresetSettings

    source = _source(name)
    path = catalog.locate_preset(source)
    if summary:
        _summarize(source, name, trust_code, as_json, debug)
    elif as_json:
        values = yaml_io.read(path).values
        console.show_document(Preset(preset=name, config=PresetSettings.model_validate(values)))
    else:
        console.show_text(path.read_text(encoding="utf-8"))


def _source(name: str) -> str:
    """Return a name, or the configuration file of a path, which may be a run directory.

    Raises:
        ConfigError: If the file is missing or not a valid configuration.
    """
    from rumcli import config
    from rumcli.config import catalog
    from rumcli.training.run_dir import CONFIG, RunDir

    if catalog.is_preset_name(name):
        return name
    path = Path(name)
    if output_dirs.exists(path) and path.is_dir():
        name = str(RunDir.open(path).path.absolute() / CONFIG)
    config.build(name)
    return name


def _summarize(source: str, name: str, trusted: bool, as_json: bool, debug: bool) -> None:
    from rumcli import config

    run = config.build(source)
    _run_arguments.check_trust(run, trusted, training=False)
    _keras_startup.start(debug)
    _run_arguments.load_trusted(run, training=False)
    from rumcli.analysis.inspection import summarize_model
    from rumcli.reporting import result_tables

    with console.status() as report:
        report("building the model")
        document = summarize_model(run, name)
    if as_json:
        console.show_document(document)
    else:
        console.show(result_tables.model(document))


@app.command("copy", cls=_options.Command, epilog=_options.epilog("presets copy"))
def copy(
    name: Name,
    destination: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="File to write. Default: NAME.yaml.")
    ] = None,
    force: _options.Force = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Copy a preset, to edit it and train with --preset FILE."""
    from rumcli.config import catalog
    from rumcli.json_schemas.inputs import PresetCopy

    content = catalog.preset_path(name).read_bytes()
    path = destination or Path(f"{name}.yaml")
    with console.new_file(path, force) as file:
        file.write(content)
    console.note(f"wrote {path}; to use it: rum train --preset {path}")
    if as_json:
        console.show_document(PresetCopy(preset=name, path=str(path)))


def _row(name: str) -> PresetRow:
    from rumcli.config import catalog, yaml_io
    from rumcli.json_schemas.inputs import PresetRow

    values = yaml_io.read(catalog.preset_path(name)).values
    return PresetRow(name=name, task=values["task"]["name"], description=values["description"])
