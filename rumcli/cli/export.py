"""`rum export`: write the model of a run for other programs."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from rumcli import backends
from rumcli.cli import _keras_startup, _options, _run_arguments
from rumcli.errors import ConfigError
from rumcli.export import SUFFIXES, Format
from rumcli.reporting import console

# Packages of the formats that need an extra, which has the name of the format.
_PACKAGES: dict[Format, tuple[str, ...]] = {
    "onnx": ("tf2onnx", "onnx", "onnxruntime"),
    "safetensors": ("safetensors",),
}
# File in the directory of each format that identifies an earlier export.
_MARKER_FILES: dict[Format, str] = {
    "keras": "model.weights.h5",
    "safetensors": "model.safetensors",
    "savedmodel": "saved_model.pb",
    "onnx": "model.onnx",
}
_FILE_SUFFIXES = {".h5", ".hdf5", ".pb", ".pt", ".npz", ".zip", *SUFFIXES.values()} - {""}


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="keras or safetensors, for Keras with this package; savedmodel, for TensorFlow "
            "alone; or onnx.",
            autocompletion=_options.completing(lambda: SUFFIXES),
        ),
    ] = "keras",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Directory to create, with the model, its model card (README.md) and config.yaml; "
            "or a .keras, .safetensors or .onnx file. Default: the run's name with the format, in "
            "the current directory."
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

    The default is a directory that can be pushed to the Hugging Face Hub as it is. If the outputs
    differ by more than rounding, nothing is written and the exit code is 1.
    """
    kind = _options.choose("--format", "format", format_, SUFFIXES)
    checkpoint = _options.choose("--checkpoint", "checkpoint", checkpoint, _options.CHECKPOINTS)
    from rumcli.config import Split
    from rumcli.training import dataset_binding, resume
    from rumcli.training.run_dir import RunDir

    run_dir = RunDir.open(run)
    _run_arguments.check_trust(run_dir.config, trust_code, training=False)
    path = out or Path(f"{run.resolve().name}-{kind}")
    _check(path, kind, force)
    _require(kind)
    dataset = dataset_binding.for_evaluation(run_dir, Split.VALIDATION, data)
    resume.require_checkpoint(run_dir, checkpoint)
    _keras_startup.start(debug)
    _run_arguments.load_trusted(run_dir.config, training=False)
    from rumcli.export import model_export
    from rumcli.reporting import model_card, result_tables

    describe = functools.partial(model_card.files, run_dir)
    try:
        with console.status() as report:
            exported = model_export.export(
                run_dir, checkpoint, kind, path, dataset, describe, report
            )
    except OSError as error:
        raise ConfigError(f"can't write {path}: {error.strerror or error}") from error
    if as_json:
        console.show_document(exported)
    else:
        console.show(result_tables.exported(exported))


def _require(kind: Format) -> None:
    """Check that a format can be written, before the backend starts.

    Raises:
        ConfigError: If it needs another backend or a missing package.
    """
    backend = backends.name()
    if kind in ("savedmodel", "onnx") and backend != "tensorflow":
        install = "" if backends.is_installed("tensorflow") else backends.remedy("tensorflow")
        raise ConfigError(
            f"--format {kind} needs the backend tensorflow, not {backend}; a run of any backend "
            f"can be exported with KERAS_BACKEND=tensorflow{install and f', after {install}'}"
        )
    needed = _PACKAGES.get(kind, ())
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        packages = ", ".join(missing)
        raise ConfigError(
            f"--format {kind} needs {packages}, not installed: pip install 'rumcli[{kind}]'"
        )


def _check(path: Path, kind: Format, force: bool) -> None:
    suffix = path.suffix.lower()
    if suffix in _FILE_SUFFIXES:
        expected_suffix = SUFFIXES[kind]
        if suffix != expected_suffix:
            expected = (
                f"a name that ends in {expected_suffix}, or a directory"
                if expected_suffix
                else "a directory"
            )
            raise ConfigError(f"--out {path}: expected {expected}")
        console.check_new_file(path, force)
        return
    if path.exists():
        if not (path / _MARKER_FILES[kind]).is_file():
            raise ConfigError(f"{path} exists and is not a {kind} export; choose another name")
        if not force:
            raise ConfigError(f"{path} exists; choose another name, or --force to replace it")
    if not path.resolve().parent.is_dir():
        raise ConfigError(f"can't write {path}: No such file or directory")
