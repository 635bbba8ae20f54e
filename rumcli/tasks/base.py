"""The interface of a task, by which alone the trainer knows it.

No files and no printing; examples come from `rumcli.data`.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np

from rumcli.config import RunConfig, Split
from rumcli.tasks.baseline import Baseline

# Inputs, which may be several arrays by name; targets; and in evaluation perhaps weights.
Batch = tuple[Any, ...]


class Task(abc.ABC):
    """A task of one run.

    Attributes:
        config: The run's configuration.
        metric: Name of the metric that a person understands, as in logs.
        monitor: Name of the metric that chooses the best checkpoint: `"loss"` or `metric`.
        sample_unit: What an evaluation counts: `"examples"`, or what else has a loss of its own.
        baseline: Levels of the monitored metric.
    """

    metric: ClassVar[str]
    monitor: ClassVar[str]
    sample_unit: ClassVar[str] = "examples"

    def __init__(self, config: RunConfig) -> None:
        self.config = config

    @property
    @abc.abstractmethod
    def baseline(self) -> Baseline:
        """The levels of `monitor` that mean "learned nothing" and "solved"."""

    @abc.abstractmethod
    def model(self) -> keras.Model:
        """Make the compiled model, with weights drawn anew."""

    @abc.abstractmethod
    def training_batch(self, step: int) -> Batch:
        """Make the batch of a training step: a pure function of the configuration and the step.

        Args:
            step: Number of the step, from 0.
        """

    @abc.abstractmethod
    def num_batches(self, split: Split) -> int:
        """Return the number of batches of an evaluation split."""

    @abc.abstractmethod
    def evaluation_batch(self, split: Split, number: int) -> Batch:
        """Make one batch of an evaluation split; all that is counted is in one batch exactly."""

    @abc.abstractmethod
    def num_samples(self, split: Split) -> int:
        """Return how much of what is `counted` an evaluation split has."""

    def step_labels(self, inputs: Any, row: int) -> list[str]:
        """Write what a sample of a batch has at each of its time steps: `[T]`.

        Args:
            inputs: The first part of a batch.
            row: Number of the sample in it.
        """
        return [str(symbol) for symbol in inputs[row]]

    def for_inference(self, model: keras.Model) -> keras.Model:
        """Return a model of the same weights as other programs take it: nothing for training.

        Args:
            model: As `model` makes it.
        """
        inputs = {part.name: part for part in model.inputs}
        one = model.inputs[0] if len(inputs) == 1 else inputs
        return keras.Model(one, model.outputs[0], name=model.name)

    def inference_inputs(
        self, model: keras.Model, inputs: Any, before: Mapping[str, np.ndarray] | None
    ) -> dict[str, np.ndarray]:
        """Return, by name, what the model for inference takes where the run's takes `inputs`.

        Args:
            model: That for inference.
            inputs: Of an evaluation batch.
            before: What the model for inference returned for the batch before, by name; None at
                the first.
        """
        return inputs if isinstance(inputs, dict) else {model.inputs[0].name: inputs}

    @property
    def steps_per_epoch(self) -> int | None:
        """Training steps in which all data is seen once; None if it is not counted in passes."""
        return None

    @property
    def source(self) -> str | None:
        """Where the data is from, if the user gave it."""
        return None

    @property
    def summary_fields(self) -> dict[str, Any]:
        """What tells this task from others of its name, for summaries."""
        return {}

    def derive_metrics(self, measured: Mapping[str, float]) -> dict[str, float]:
        """Add to what Keras measured what follows from it.

        Args:
            measured: Loss and metrics, those of a validation with `val_` before their names.
        """
        return dict(measured)

    @property
    def higher_is_better(self) -> bool:
        """Whether the monitored metric grows as the model learns."""
        return self.baseline.target > self.baseline.value
