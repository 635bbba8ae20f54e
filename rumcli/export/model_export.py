"""A run's model as other programs take it: written, read again, and compared on real data.

The formats themselves are in `formats`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rumcli import atomic_io
from rumcli.config import Split
from rumcli.errors import RunError
from rumcli.export import formats
from rumcli.json_schemas.analysis import Export, TensorSpec
from rumcli.tasks import registry
from rumcli.tasks.base import Task
from rumcli.tasks.task_dataset import TaskDataset
from rumcli.training import keras_setup, model_state
from rumcli.training.evaluation import load_checkpoint
from rumcli.training.run_dir import RunDir

_BATCHES = 3  # that are compared, or as many as there are
# Of the largest output, or of 1 if all are smaller. Every step of a sequence adds its rounding, and
# another program adds up in another order.
_TOLERANCES = {"float32": 1e-3, "float64": 1e-9, "mixed_bfloat16": 5e-2, "mixed_float16": 1e-2}


def export(
    folder: RunDir,
    which: str,
    kind: str,
    path: Path,
    dataset: TaskDataset | None,
    report: Callable[[str], None] = lambda text: None,
) -> Export:
    """Write the model of a run to a file or folder, which is there in the end only if it is right.

    Args:
        folder: The run's folder.
        which: `"best"` (by validation) or `"last"`.
        kind: One of `formats.FORMATS`.
        path: What to write; replaced if it exists.
        dataset: What `dataset_binding.for_evaluation` read of the validation split.
        report: Receives a description of each activity that may take long.

    Returns:
        What was written, and by how much its outputs differ from those of the run's model.

    Raises:
        RunError: If there is no checkpoint, the format can't hold the model, or what was written
            computes something else.
    """
    run = folder.config
    checkpoint = load_checkpoint(folder, which)
    keras_setup.prepare(run)
    task = registry.make(formats.writable(run, kind), dataset)
    model = task.model()
    model_state.restore_weights(model, checkpoint.arrays)
    written = task.for_inference(model)
    report(f"writing {path} and reading it again")
    with atomic_io.replacing_any(path) as aside, atomic_io.reachable(aside.parent) as place:
        plain = place / f"model{aside.suffix.lower()}"  # some libraries can't open every name
        formats.write(written, kind, plain)
        difference, scale, examples = _compare(task, model, written, formats.read(kind, plain))
        plain.rename(aside)
        tolerance = _TOLERANCES[run.precision] * max(1.0, scale)
        if not difference <= tolerance:  # or not a number
            raise RunError(
                f"the {kind} file computes something else than the run's model: outputs differ by "
                f"up to {difference:.1e}, of at most {scale:.1e}; nothing was written"
            )
        size = sum(file.stat().st_size for file in [aside, *aside.rglob("*")] if file.is_file())
    return Export(
        run=str(folder.path),
        task=run.task.name,
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
    task: Task, model: keras.Model, written: keras.Model, call: formats.Call
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
