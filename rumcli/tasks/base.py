"""Task interface: the trainer depends on this interface alone.

Tasks neither read files nor print. Random numbers come from `rumcli.data`.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np

from rumcli.config import RunConfig, Split
from rumcli.tasks.baseline import Baseline

# (inputs, targets), or (inputs, targets, sample_weight); inputs are an array or a dict of arrays.
Batch = tuple[Any, ...]


class Task(abc.ABC):
    """A task, bound to the configuration of one run.

    Attributes:
        config: Configuration of the run.
        metric: Name of the human-readable metric, as in logs.
        monitor: Name of the metric that selects the best checkpoint: `"loss"` or `metric`.
        sample_unit: Unit that an evaluation counts, such as `"examples"`: each has its own loss.
        scored: Time steps of a sequence that the metric covers.
        baseline: Baseline and target of the monitored metric.
    """

    metric: ClassVar[str]
    monitor: ClassVar[str]
    sample_unit: ClassVar[str] = "examples"
    scored: ClassVar[slice] = slice(None)

    def __init__(self, config: RunConfig) -> None:
        self.config = config

    @property
    @abc.abstractmethod
    def baseline(self) -> Baseline:
        """Reference values of `monitor`: the score of a simple strategy, and the target."""

    @abc.abstractmethod
    def model(self) -> keras.Model:
        """Build the compiled model with freshly initialized weights."""

    @abc.abstractmethod
    def training_batch(self, step: int) -> Batch:
        """Return the batch of a training step: a pure function of configuration and step.

        Args:
            step: Index of the step, from 0.

        Returns:
            Inputs and targets.
        """

    @abc.abstractmethod
    def num_batches(self, split: Split) -> int:
        """Return the number of batches of an evaluation split."""

    @abc.abstractmethod
    def evaluation_batch(self, split: Split, number: int) -> Batch:
        """Return one batch of an evaluation split; each sample is in exactly one batch.

        Args:
            split: Evaluation split.
            number: Index of the batch, from 0.

        Returns:
            Inputs and targets, optionally followed by sample weights.
        """

    @abc.abstractmethod
    def num_samples(self, split: Split) -> int:
        """Return the number of samples of an evaluation split, in units of `sample_unit`."""

    def step_labels(self, inputs: Any, row: int) -> list[str]:
        """Return a label for each time step of a sample: a list of T strings.

        Args:
            inputs: Inputs of a batch.
            row: Index of the sample in the batch.
        """
        return [str(symbol) for symbol in inputs[row]]

    def prediction_report(self, model: keras.Model, split: Split, examples: int) -> dict[str, Any]:
        """Return fields of an evaluation that describe the predictions; empty by default.

        Args:
            model: Model of the task.
            split: Evaluated split.
            examples: Number of single predictions to include.
        """
        return {}

    def input_labels(self, inputs: Any, row: int) -> list[str]:
        """Return labels of all inputs of a sample, without padding.

        Args:
            inputs: Inputs of a batch.
            row: Index of the sample in the batch.
        """
        return [label for label in self.step_labels(inputs, row) if label]

    @property
    def class_names(self) -> Sequence[str] | None:
        """Names of the target classes; None for their numbers."""
        return None

    def sample_indices(self, split: Split, number: int) -> np.ndarray | None:
        """Return the index in the split of each sample of a batch with sample weights.

        Args:
            split: Evaluation split.
            number: Index of the batch, from 0.

        Returns:
            Indices with the shape of the weights; None if samples are in the order of the batches.
        """
        return None

    def for_inference(self, model: keras.Model) -> keras.Model:
        """Return an inference model that shares the weights of `model`, without training parts.

        Args:
            model: Model as returned by `model()`.
        """
        inputs = {part.name: part for part in model.inputs}
        one = model.inputs[0] if len(inputs) == 1 else inputs
        return keras.Model(one, model.outputs[0], name=model.name)

    def inference_inputs(
        self, model: keras.Model, inputs: Any, before: Mapping[str, np.ndarray] | None
    ) -> dict[str, np.ndarray]:
        """Convert the inputs of the training model to those of the inference model.

        Args:
            model: Inference model, from `for_inference`.
            inputs: Inputs of an evaluation batch.
            before: Outputs of the inference model for the previous batch, by name; None for the
                first batch.

        Returns:
            Arrays by input name.
        """
        return inputs if isinstance(inputs, dict) else {model.inputs[0].name: inputs}

    @property
    def steps_per_epoch(self) -> int | None:
        """Number of training steps per epoch; None if the task has no epochs."""
        return None

    @property
    def source(self) -> str | None:
        """Source of the data as given by the user; None for generated data."""
        return None

    @property
    def summary_fields(self) -> dict[str, Any]:
        """Fields that distinguish tasks of the same name, for summaries."""
        return {}

    def derive_metrics(self, measured: Mapping[str, float]) -> dict[str, float]:
        """Add derived metrics to the metrics measured by Keras.

        Args:
            measured: Loss and metrics. Names of validation metrics begin with `val_`.

        Returns:
            Measured and derived metrics.
        """
        return dict(measured)

    @property
    def higher_is_better(self) -> bool:
        """Whether larger values of the monitored metric are better."""
        return self.baseline.target > self.baseline.value
