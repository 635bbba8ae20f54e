"""Export of a run's model for other programs, with a comparison of the outputs on real data.

`rumcli.export.formats` implements the formats.
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

_BATCHES = 3  # number of batches to compare, or fewer in a smaller split
# Tolerances relative to the largest output, or to 1 if all are smaller. Rounding errors accumulate
# over the steps of a sequence, and another program sums in a different order.
_TOLERANCES = {"float32": 1e-3, "float64": 1e-9, "mixed_bfloat16": 5e-2, "mixed_float16": 1e-2}


def export(
    folder: RunDir,
    which: str,
    kind: formats.Format,
    path: Path,
    dataset: TaskDataset | None,
    report: Callable[[str], None] = lambda text: None,
) -> Export:
    """Export the model of a run, and verify the outputs of the exported model.

    Nothing is written unless they agree with the outputs of the run's model.

    Args:
        folder: Run directory.
        which: `"best"` (by validation) or `"last"`.
        kind: Export format, one of `formats.FORMATS`.
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
    keras_setup.prepare(run)
    task = registry.make(formats.writable(run, kind), dataset)
    model = task.model()
    model_state.restore_weights(model, checkpoint.arrays)
    written = task.for_inference(model)
    report(f"writing {path} and reading it again")
    with atomic_io.replacing_any(path) as aside, atomic_io.reachable(aside.parent) as place:
        plain = place / f"model{aside.suffix.lower()}"  # some libraries reject unusual names
        formats.write(written, kind, plain)
        difference, scale, examples = _compare(task, model, written, formats.read(kind, plain))
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
