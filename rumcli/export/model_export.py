"""Export of trained models to Keras, SavedModel and ONNX, each compared with the original."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rumcli import atomic_io, errors
from rumcli.config import RunConfig, Split
from rumcli.errors import RunError
from rumcli.export import SUFFIXES, Format
from rumcli.json_schemas.analysis import Export, TensorSpec
from rumcli.tasks import registry
from rumcli.tasks.base import Task
from rumcli.tasks.task_dataset import TaskDataset
from rumcli.training import model_state, run_environment
from rumcli.training.evaluation import load_checkpoint
from rumcli.training.run_dir import RunDir

# From inputs by name to outputs by name; a single output is named `"logits"`.
Call = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
_ONLY = "logits"

_DIRECTORIES = ("keras", "savedmodel")  # formats that are several files in a directory
_BATCHES = 3  # number of batches to compare, or fewer in a smaller split
# Tolerances relative to the largest output, or to 1 if all are smaller. Rounding errors accumulate
# over the steps of a sequence, and another program sums in a different order.
_TOLERANCES = {"float32": 1e-3, "float64": 1e-9, "mixed_bfloat16": 5e-2, "mixed_float16": 1e-2}


def with_supported_loop(run: RunConfig, kind: str) -> RunConfig:
    """Return the configuration with a time loop that a format supports.

    XLA compiles the fused loop for one type of processor and one sequence length. A Keras model
    stores no loop; the implementation is selected again when it is loaded.

    Args:
        run: Configuration of the run.
        kind: Export format.
    """
    chosen = getattr(run.cell, "implementation", None)
    by_keras = kind in ("keras", "safetensors")
    if chosen is None or (by_keras and chosen != "fused"):
        return run
    loop = "auto" if by_keras else "plain"
    return run.model_copy(update={"cell": run.cell.model_copy(update={"implementation": loop})})


def write_model(model: keras.Model, kind: str, path: Path) -> None:
    """Write a model.

    Args:
        model: Model to write.
        kind: Export format.
        path: File or directory to create. A Keras model without the suffix `.keras` is written as
            the directory that `keras.saving.load_model` reads from the Hugging Face Hub.

    Raises:
        RunError: If the format does not support the model.
    """
    try:
        with _quiet():
            if kind == "keras":
                model.save(path, zipped=path.suffix == ".keras")
            elif kind == "safetensors":
                _write_safetensors(model, path)
            else:
                model(model.input)  # Keras exports only models that were called
                form = {"savedmodel": "tf_saved_model", "onnx": "onnx"}[kind]
                model.export(str(path), format=form, verbose=False)
    except OSError:
        raise
    except Exception as error:  # the converters raise many types
        raise RunError(
            f"the model can't be exported as {kind}: {errors.one_line(error)}"
        ) from error


def read_model(kind: str, path: Path) -> Call:
    """Load a model that `write_model` wrote, as another program would.

    Args:
        kind: Export format.
        path: File or directory to read.

    Returns:
        Function from inputs by name to outputs by name.

    Raises:
        RunError: If it can't be loaded.
    """
    readers = {
        "keras": _read_keras,
        "safetensors": _read_safetensors,
        "savedmodel": _read_saved_model,
        "onnx": _read_onnx,
    }
    try:
        with _quiet():
            return readers[kind](path)
    except Exception as error:
        raise RunError(
            f"the exported {kind} file can't be loaded: {errors.one_line(error)}"
        ) from error


def _write_safetensors(model: keras.Model, path: Path) -> None:
    from safetensors.numpy import save_file

    paths = [variable.path for variable in model.weights]
    names = [
        name if paths.count(name) == 1 else f"{name}.{number}" for number, name in enumerate(paths)
    ]
    arrays = dict(zip(names, model.get_weights(), strict=True))
    # The order of the variables is that of `Model.weights`; the file sorts them.
    metadata = {"architecture": model.to_json(), "variables": "\n".join(names)}
    save_file(arrays, path, metadata)


def _read_safetensors(path: Path) -> Call:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        model = keras.models.model_from_json(metadata["architecture"])
        model.set_weights([file.get_tensor(name) for name in metadata["variables"].splitlines()])
    return _calling(model)


def _read_keras(path: Path) -> Call:
    return _calling(keras.saving.load_model(path, compile=False, safe_mode=True))


def _calling(model: Any) -> Call:
    def call(inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        one = len(model.inputs) == 1
        found = model.predict_on_batch(next(iter(inputs.values())) if one else inputs)
        return found if isinstance(found, dict) else {_ONLY: found}

    return call


def _read_saved_model(path: Path) -> Call:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]

    def call(inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        outputs = serve(**{name: tf.constant(array) for name, array in inputs.items()})
        return _named({name: tensor.numpy() for name, tensor in outputs.items()})

    call.loaded = loaded  # type: ignore[attr-defined]  # keeps its variables alive
    return call


def _read_onnx(path: Path) -> Call:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def call(inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return _named(dict(zip(names, session.run(names, dict(inputs)), strict=True)))

    return call


def _named(outputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return outputs if len(outputs) > 1 else {_ONLY: next(iter(outputs.values()))}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress log messages and warnings of the converters, which describe their internals."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def export(
    run_dir: RunDir,
    which: str,
    kind: Format,
    path: Path,
    dataset: TaskDataset | None,
    describe: Callable[[Export], Mapping[str, str]],
    report: Callable[[str], None] = lambda text: None,
) -> Export:
    """Export the model of a run, and verify the outputs of the exported model.

    Nothing is written unless they agree with the outputs of the run's model.

    Args:
        run_dir: Run directory.
        which: `"best"` (by validation) or `"last"`.
        kind: Export format.
        path: File or directory to write; replaced if it exists. A path with the suffix of the
            format, as in `model.onnx`, is a file, any other one a directory.
        dataset: Result of `dataset_binding.for_evaluation` for the validation split.
        describe: Returns the text files of the directory by name, such as the model card.
        report: Callback that receives a description of each slow activity.

    Returns:
        Description of the exported model, with the largest difference of its outputs.

    Raises:
        RunError: If the checkpoint is missing, the format does not support the model, or the
            outputs differ.
    """
    run = run_dir.config
    checkpoint = load_checkpoint(run_dir, which)
    run_environment.prepare_keras(run)
    task = registry.make(with_supported_loop(run, kind), dataset)
    model = task.model()
    model_state.restore_weights(model, checkpoint.arrays)
    written = task.for_inference(model)
    report(f"writing and verifying {path}")
    with atomic_io.replacing_any(path) as aside, atomic_io.reachable(aside.parent) as place:
        is_file = aside.suffix.lower() == SUFFIXES[kind] != ""
        # Some libraries reject unusual names.
        plain = place / f"model{SUFFIXES[kind] if is_file else ''}"
        own = plain if is_file or kind in _DIRECTORIES else plain / f"model{SUFFIXES[kind]}"
        atomic_io.make_directory(own.parent, exist_ok=True)
        write_model(written, kind, own)
        difference, scale, examples = _compare(task, model, written, read_model(kind, own))
        tolerance = _TOLERANCES[run.precision] * max(1.0, scale)
        if not difference <= tolerance:  # also true for NaN
            raise RunError(
                f"the outputs of the {kind} file differ from those of the run's model by up to "
                f"{difference:.1e}; expected at most {tolerance:.1e}. Nothing was written"
            )
        found = Export(
            run=str(run_dir.path),
            task=run.task.label,
            cell=run.cell.name,
            weights_of_step=checkpoint.step,
            format=kind,
            path=str(path),
            bytes=_size(plain),
            inputs=_specs({part.name: part for part in written.inputs}),
            outputs=_specs(_by_name(written.output)),
            examples_compared=examples,
            largest_difference=difference,
            tolerance=tolerance,
        )
        if not is_file:
            for name, text in describe(found).items():
                atomic_io.write_text(plain / name, text)
            found = found.model_copy(update={"bytes": _size(plain)})
        plain.rename(aside)
    return found


def _size(path: Path) -> int:
    """Return the size of a file, or of all files in a directory, in bytes."""
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())


def _compare(
    task: Task, model: keras.Model, written: keras.Model, call: Call
) -> tuple[float, float, int]:
    """Return the largest difference, the largest output, and the number of samples."""
    difference, scale, samples = 0.0, 0.0, 0
    before: Mapping[str, np.ndarray] | None = None
    for number in range(min(_BATCHES, task.num_batches(Split.VALIDATION))):
        inputs = task.evaluation_batch(Split.VALIDATION, number)[0]
        expected = np.asarray(model.predict_on_batch(inputs), dtype="float64")
        before = call(task.inference_inputs(written, inputs, before))
        found = np.asarray(before["logits"], dtype="float64")
        difference = max(difference, float(np.abs(found - expected).max()))
        scale = max(scale, float(np.abs(expected).max()))
        samples += len(expected)
    return difference, scale, samples


def _by_name(outputs: Any) -> dict[str, Any]:
    return outputs if isinstance(outputs, dict) else {"logits": outputs}


def _specs(tensors: Mapping[str, Any]) -> list[TensorSpec]:
    return [
        TensorSpec(name=name, shape=list(tensor.shape), dtype=tensor.dtype)
        for name, tensor in tensors.items()
    ]
