"""Export formats: Keras, SavedModel and ONNX.

Loading a `.keras` file needs this package, a SavedModel TensorFlow, and ONNX its own runtime.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import keras
import numpy as np

from rumcli.config import RunConfig
from rumcli.errors import RunError

# From inputs by name to outputs by name; a single output is named `"logits"`.
Call = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]

Format = Literal["keras", "savedmodel", "onnx"]
FORMATS: tuple[Format, ...] = ("keras", "savedmodel", "onnx")
_ONLY = "logits"


def writable(run: RunConfig, kind: str) -> RunConfig:
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


def write(model: keras.Model, kind: str, path: Path) -> None:
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


def read(kind: str, path: Path) -> Call:
    """Load a model that `write` wrote, as another program would.

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
