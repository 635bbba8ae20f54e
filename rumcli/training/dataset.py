"""A task's batches in the two forms that Keras takes them: endless, and of a known length."""

from __future__ import annotations

from collections.abc import Iterator

import keras

from rumcli.config import Split
from rumcli.tasks.base import Task


def training_batches(task: Task, first_step: int) -> Iterator[tuple]:
    """Make the batches of all steps from `first_step` on, without end."""
    step = first_step
    while True:
        yield task.training_batch(step)
        step += 1


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
