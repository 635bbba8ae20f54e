"""`rum export`: write the model of a run for other programs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli import backends
from rumcli.cli import _keras_startup, _options, _run_arguments
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.export.model_export import Format

_CONVERTER = ("tf2onnx", "onnx", "onnxruntime")
# Suffix of each format. A SavedModel is a directory.
_SUFFIXES: dict[Format, str] = {"keras": ".keras", "savedmodel": "", "onnx": ".onnx"}


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="keras, for Keras with this package; savedmodel, for TensorFlow alone; or onnx.",
            autocompletion=_options.completing(lambda: _SUFFIXES),
        ),
    ] = "keras",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output: a .keras or .onnx file, or the directory of a savedmodel. "
            "Default: the run's name, in the current directory."
        ),
    ] = None,
    checkpoint: _options.CheckpointOption = "best",
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="For runs of ptb or babi: new location of their data, if it has moved.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    trust_code: _run_arguments.Trust = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Write a run's model for inference, load it again, and compare its outputs on real data.

    If they differ by more than rounding, nothing is written and the exit code is 1.
    """
    kind = _options.choose("--format", "format", format_, _SUFFIXES)
    checkpoint = _options.choose("--checkpoint", "checkpoint", checkpoint, _options.CHECKPOINTS)
    from rumcli.config import Split
    from rumcli.training import dataset_binding as materials
    from rumcli.training import resume
    from rumcli.training.run_dir import RunDir

    folder = RunDir.open(run)
    _run_arguments.check_trust(folder.config, trust_code, training=False)
    path = out or Path(run.resolve().name + (_SUFFIXES[kind] or "-savedmodel"))
    _check(path, kind, force)
    _require(kind)
    dataset = materials.for_evaluation(folder, Split.VALIDATION, data)
    resume.require_checkpoint(folder, checkpoint)
    _keras_startup.start(debug)
    _run_arguments.load_trusted(folder.config, training=False)
    from rumcli.export import model_export
    from rumcli.reporting import result_tables

    try:
        with console.status() as report:
            found = model_export.export(folder, checkpoint, kind, path, dataset, report)
    except OSError as error:
        raise ConfigError(f"can't write {path}: {error.strerror or error}") from error
    if as_json:
        console.show_document(found)
    else:
        console.show(result_tables.exported(found))


def _require(kind: str) -> None:
    """Check that a format can be written, before the backend starts.

    Raises:
        ConfigError: If it needs another backend or a missing package.
    """
    backend = backends.name()
    if kind != "keras" and backend != "tensorflow":
        install = "" if backends.is_installed("tensorflow") else backends.remedy("tensorflow")
        raise ConfigError(
            f"--format {kind} needs the backend tensorflow, not {backend}; a run of any backend "
            f"can be exported with KERAS_BACKEND=tensorflow{install and f', after {install}'}"
        )
    missing = [name for name in _CONVERTER if importlib.util.find_spec(name) is None]
    if kind == "onnx" and missing:
        raise ConfigError(
            f"--format onnx needs {', '.join(missing)}; install what it needs: "
            "pip install 'rumcli[onnx]'"
        )


def _check(path: Path, kind: Format, force: bool) -> None:
    suffix = _SUFFIXES[kind]
    if suffix:
        if path.suffix.lower() != suffix:
            raise ConfigError(f"--out {path}: expected a name that ends in {suffix}")
        console.check_new_file(path, force)
        return
    if path.exists():
        if not (path / "saved_model.pb").is_file():
            raise ConfigError(f"{path} exists and is no savedmodel; choose another name")
        if not force:
            raise ConfigError(f"{path} exists; choose another name, or --force to replace it")
    if not path.resolve().parent.is_dir():
        raise ConfigError(f"can't write {path}: No such file or directory")
