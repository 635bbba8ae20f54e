"""Input pipelines of a task: endless for training, finite for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import tree

from rumcli.config import Split
from rumcli.tasks.base import Batch, Task
from rumcli.training.process_group import ALONE, ProcessGroup

# Batches per block that Python passes to TensorFlow. Passed one by one, they take 10 % of a step
# of 10 ms.
_BLOCK_SIZE = 16


def training_batches(task: Task, first_step: int, group: ProcessGroup = ALONE) -> Any:
    """Return the endless training batches from a step on, in a form that `fit` accepts.

    Args:
        task: Task that generates the batches.
        first_step: Index of the first step, from 0.
        group: Processes that share each batch by rows.
    """
    if keras.backend.backend() == "tensorflow":
        return _training_dataset(task, first_step)
    return _batches(task, first_step, group)


def evaluation_batches(task: Task, split: Split, group: ProcessGroup = ALONE) -> Any:
    """Return all batches of an evaluation split, in a form that `evaluate` accepts.

    Args:
        task: Task that generates the batches.
        split: Split to evaluate.
        group: Processes that share each batch by rows.
    """
    if keras.backend.backend() == "tensorflow":
        return _evaluation_dataset(task, split)
    return _EvaluationSequence(task, split, group)


# A `tf.data.Dataset` generates batches in parallel with the training. Its shapes are static, so
# that the fused loop is compiled for them and splits them over the cores.


def _training_dataset(task: Task, first_step: int) -> Any:
    import tensorflow as tf

    def blocks() -> Iterator[Batch]:
        batches = _batches(task, first_step, ALONE)
        while True:
            block = [next(batches) for _ in range(_BLOCK_SIZE)]
            yield tree.map_structure(lambda *parts: np.stack(parts), *block)

    signature = tree.map_structure(
        lambda part: tf.TensorSpec((_BLOCK_SIZE, *part.shape), part.dtype),
        task.training_batch(0),
    )
    dataset = tf.data.Dataset.from_generator(blocks, output_signature=signature)
    return dataset.unbatch().prefetch(2)


def _evaluation_dataset(task: Task, split: Split) -> Any:
    import tensorflow as tf

    count = task.num_batches(split)

    def spec(first: np.ndarray, last: np.ndarray) -> tf.TensorSpec:
        size = len(first) if len(first) == len(last) else None
        return tf.TensorSpec((size, *first.shape[1:]), first.dtype)

    ends = (task.evaluation_batch(split, number) for number in (0, count - 1))
    dataset = tf.data.Dataset.from_generator(
        lambda: (task.evaluation_batch(split, number) for number in range(count)),
        output_signature=tree.map_structure(spec, *ends),
    )
    return dataset.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2)


def _batches(task: Task, step: int, group: ProcessGroup) -> Iterator[Batch]:
    while True:
        yield group.part(task.training_batch(step))
        step += 1


class _EvaluationSequence(keras.utils.PyDataset):
    def __init__(self, task: Task, split: Split, group: ProcessGroup) -> None:
        super().__init__()
        self._task = task
        self._split = split
        self._group = group
        # Keras uses the layout of the first batch for all batches of an evaluation.
        ends = (task.evaluation_batch(split, number) for number in {0, len(self) - 1})
        sizes = [len(tree.flatten(batch)[0]) for batch in ends] if group.devices > 1 else []
        self._is_replicated = any(size % group.devices for size in sizes)

    def __len__(self) -> int:
        return self._task.num_batches(self._split)

    def __getitem__(self, index: int) -> Batch:
        batch = self._task.evaluation_batch(self._split, index)
        return self._group.part(batch, self._is_replicated)
