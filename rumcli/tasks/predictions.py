"""Predictions of a model for each sample of a split, as JSON types.

A sample is the unit of an evaluation: an example, a question or a character.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import tree

from rumcli.config import Split
from rumcli.tasks.base import Task


def predict(task: Task, model: keras.Model, split: Split) -> Iterator[dict[str, Any]]:
    """Yield the prediction for each sample of an evaluation split.

    Args:
        task: Task of the model.
        model: Model as returned by `task.model()`.
        split: Split to predict.

    Yields:
        The keys of the document `rum/prediction`.
    """
    index, names = 0, task.class_names
    for number in range(task.num_batches(split)):
        inputs, targets, *weights = task.evaluation_batch(split, number)
        outputs = tree.flatten(model.predict_on_batch(inputs))[0]
        targets = np.asarray(targets)
        if weights:  # each time step is a sample of its own
            indices = task.sample_indices(split, number)
            for position in zip(*np.nonzero(weights[0]), strict=True):
                prediction = record(outputs[position], targets[position], names)
                sample = index if indices is None else int(indices[position])
                yield {"index": sample, **prediction}
                index += 1
            continue
        for row, (output, target) in enumerate(zip(outputs, targets, strict=True)):
            prediction = record(output, target, names, task.scored)
            yield {"index": index, "inputs": task.input_labels(inputs, row), **prediction}
            index += 1


def record(
    output: np.ndarray,
    target: np.ndarray,
    names: Sequence[str] | None = None,
    scored: slice = slice(None),
) -> dict[str, Any]:
    """Return target, prediction, probability, correctness and loss of one sample.

    Args:
        output: Logits `[V]` or `[T, V]`; of another task than classification, any output.
        target: Class, classes `[T]`, or any target.
        names: Names of the classes; None for their numbers.
        scored: Time steps that the metric covers, of a target with several.

    Returns:
        Without logits, only target and prediction.
    """
    target, logits = np.asarray(target), np.asarray(output, dtype=np.float64)
    if target.dtype.kind not in "iu" or logits.ndim != target.ndim + 1:
        return {"target": target.tolist(), "prediction": logits.tolist()}
    logits = logits - logits.max(axis=-1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    losses = -np.take_along_axis(log_probabilities, target[..., None], axis=-1)[..., 0]
    if target.ndim:
        target, log_probabilities = target[scored], log_probabilities[scored]
    predicted = log_probabilities.argmax(axis=-1)
    return {
        "target": _labels(target, names),
        "prediction": _labels(predicted, names),
        "probability": np.exp(log_probabilities.max(axis=-1)).round(6).tolist(),
        "correct": (predicted == target).tolist(),
        "loss": float(losses.mean()),
    }


def _labels(classes: np.ndarray, names: Sequence[str] | None) -> Any:
    if names is None:
        return classes.tolist()
    labels = [names[number] for number in classes.reshape(-1)]
    return labels if classes.ndim else labels[0]
