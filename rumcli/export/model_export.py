"""Export of trained models to Keras, SavedModel and ONNX, each compared with the original."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import keras
import numpy as np

from rumcli import atomic_io
from rumcli.config import RunConfig, Split
from rumcli.errors import RunError
from rumcli.json_schemas.analysis import Export, TensorSpec
from rumcli.tasks import registry
from rumcli.tasks.base import Task
from rumcli.tasks.task_dataset import TaskDataset
from rumcli.training import model_state, run_environment
from rumcli.training.evaluation import load_checkpoint
from rumcli.training.run_dir import RunDir

# From inputs by name to outputs by name; a single output is named `"logits"`.
Call = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
Format = Literal["keras", "savedmodel", "onnx"]
FORMATS: tuple[Format, ...] = ("keras", "savedmodel", "onnx")
_ONLY = "logits"

_BATCHES = 3  # number of batches to compare, or fewer in a smaller split
# Tolerances relative to the largest output, or to 1 if all are smaller. Rounding errors accumulate
# over the steps of a sequence, and another program sums in a different order.
_TOLERANCES = {"float32": 1e-3, "float64": 1e-9, "mixed_bfloat16": 5e-2, "mixed_float16": 1e-2}


def is_writable(run: RunConfig, kind: str) -> RunConfig:
    """Return the configuration with a time loop that a format supports.

    XLA compiles the fused loop for one type of processor and one sequence length. A Keras file
    stores no loop; the implementation is selected again when it is loaded.

    Args:
        run: Configuration of the run.
        kind: Export format, one of `FORMATS`.
    """
    chosen = getattr(run.cell, "implementation", None)
    if chosen is None or (kind == "keras" and chosen != "fused"):
        return run
    loop = "auto" if kind == "keras" else "plain"
    return run.model_copy(update={"cell": run.cell.model_copy(update={"implementation": loop})})


def write_model(model: keras.Model, kind: str, path: Path) -> None:
    """Write a model.

    Args:
        model: Model to write.
        kind: Export format, one of `FORMATS`.
        path: File or directory to create.

    Raises:
        RunError: If the format does not support the model.
    """
    try:
        with _quiet():
            if kind == "keras":
                model.save(path)
            else:
                model(model.input)  # Keras exports only models that were called
                form = {"savedmodel": "tf_saved_model", "onnx": "onnx"}[kind]
                model.export(str(path), format=form, verbose=False)
    except OSError:
        raise
    except Exception as error:  # the converters raise many types
        raise RunError(f"this model can't be written as {kind}: {_first_line(error)}") from error


def read_model(kind: str, path: Path) -> Call:
    """Load a model that `write_model` wrote, as another program would.

    Args:
        kind: Export format, one of `FORMATS`.
        path: File or directory to read.

    Returns:
        Function from inputs by name to outputs by name.

    Raises:
        RunError: If it can't be loaded.
    """
    readers = {"keras": _read_keras, "savedmodel": _read_saved_model, "onnx": _read_onnx}
    try:
        with _quiet():
            return readers[kind](path)
    except Exception as error:
        raise RunError(f"the {kind} file can't be read again: {_first_line(error)}") from error


def _read_keras(path: Path) -> Call:
    model = cast(keras.Model, keras.saving.load_model(path, compile=False, safe_mode=True))

    def call(inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        one = len(model.inputs) == 1
        found = cast(Any, model.predict_on_batch(next(iter(inputs.values())) if one else inputs))
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


def _first_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]} …"


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
    folder: RunDir,
    which: str,
    kind: Format,
    path: Path,
    dataset: TaskDataset | None,
    report: Callable[[str], None] = lambda text: None,
) -> Export:
    """Export the model of a run, and verify the outputs of the exported model.

    Nothing is written unless they agree with the outputs of the run's model.

    Args:
        folder: Run directory.
        which: `"best"` (by validation) or `"last"`.
        kind: Export format, one of `model_export.FORMATS`.
        path: File or directory to write; replaced if it exists.
        dataset: Result of `dataset_binding.for_evaluation` for the validation split.
        report: Callback that receives a description of each slow activity.

    Returns:
        Description of the exported model, with the largest difference of its outputs.

    Raises:
        RunError: If the checkpoint is missing, the format does not support the model, or the
            outputs differ.
    """
    run = folder.config
    checkpoint = load_checkpoint(folder, which)
    run_environment.prepare_keras(run)
    task = registry.make(is_writable(run, kind), dataset)
    model = task.model()
    model_state.restore_weights(model, checkpoint.arrays)
    written = task.for_inference(model)
    report(f"writing {path} and reading it again")
    with atomic_io.replacing_any(path) as aside, atomic_io.reachable(aside.parent) as place:
        plain = place / f"model{aside.suffix.lower()}"  # some libraries reject unusual names
        write_model(written, kind, plain)
        difference, scale, examples = _compare(task, model, written, read_model(kind, plain))
        plain.rename(aside)
        tolerance = _TOLERANCES[run.precision] * max(1.0, scale)
        if not difference <= tolerance:  # also true for NaN
            raise RunError(
                f"the {kind} file computes something else than the run's model: outputs differ by "
                f"up to {difference:.1e}, of at most {scale:.1e}; nothing was written"
            )
        size = sum(file.stat().st_size for file in [aside, *aside.rglob("*")] if file.is_file())
    return Export(
        run=str(folder.path),
        task=run.task.label,
        cell=run.cell.name,
        weights_of_step=checkpoint.step,
        format=kind,
        path=str(path),
        bytes=size,
        inputs=_describe({part.name: part for part in written.inputs}),
        outputs=_describe(_by_name(written.output)),
        examples_compared=examples,
        largest_difference=difference,
        tolerance=tolerance,
    )


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


def _describe(tensors: Mapping[str, Any]) -> list[TensorSpec]:
    return [
        TensorSpec(name=name, shape=list(tensor.shape), dtype=tensor.dtype)
        for name, tensor in tensors.items()
    ]
