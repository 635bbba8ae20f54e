"""A task's batches in the two forms that Keras takes them: endless, and of a known length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from rumcli.config import Split
from rumcli.tasks.base import Task

# Batches that Python makes at a time for TensorFlow. One by one, they cost a tenth of a step of
# ten milliseconds.
_AT_ONCE = 16


def training_batches(task: Task, first_step: int) -> Any:
    """Make the batches of all steps from `first_step` on, without end, in any form `fit` takes."""
    if keras.backend.backend() == "tensorflow":
        return _dataset(task, first_step)
    return _batches(task, first_step)


def _batches(task: Task, step: int) -> Iterator[tuple]:
    while True:
        yield task.training_batch(step)
        step += 1


def _dataset(task: Task, first_step: int) -> Any:
    """Return a `tf.data.Dataset` that makes batches beside the training, of a fixed shape."""
    import tensorflow as tf

    def blocks() -> Iterator[tuple]:
        batches = _batches(task, first_step)
        while True:
            block = [next(batches) for _ in range(_AT_ONCE)]
            yield tuple(np.stack(parts) for parts in zip(*block, strict=True))

    signature = tuple(
        tf.TensorSpec((_AT_ONCE, *part.shape), part.dtype) for part in task.training_batch(0)
    )
    dataset = tf.data.Dataset.from_generator(blocks, output_signature=signature)
    return dataset.unbatch().prefetch(2)


class EvaluationData(keras.utils.PyDataset):
    """Every example of an evaluation split, once."""

    def __init__(self, task: Task, split: Split) -> None:
        super().__init__()
        self._task = task
        self._split = split

    def __len__(self) -> int:
        return self._task.batches_in(self._split)

    def __getitem__(self, index: int) -> tuple:
        return self._task.evaluation_batch(self._split, index)
