"""Custom cell, task and callback for `rum train`. Run from this directory:

    rum train custom:Parity --cell custom:minimal_gru --steps 500
    rum train custom:Parity --cell rum --callback custom:WeightNorm
    rum train custom:Parity --cell rum --set task.options.length=30
    rum eval runs/parity-custom-1 --trust-code

`--set task.options.NAME=VALUE` and `--set cell.options.NAME=VALUE` set arguments of `__init__`.
"""

import keras
import numpy as np
from keras import ops

from rumcli.config import Split
from rumcli.models.builders import classifier, compile_model
from rumcli.tasks.baseline import Baseline
from rumcli.tasks.example_task import ExampleTask


@keras.saving.register_keras_serializable(package="custom")
class MinimalGRUCell(keras.layers.Layer):
    """One step of the minimal gated unit (arXiv:1603.09420): a GRU with one gate."""

    def __init__(self, units, **others):
        super().__init__(**others)
        self.units = self.state_size = self.output_size = units
        self.gate = keras.layers.Dense(units, activation="sigmoid", bias_initializer="ones")
        self.candidate = keras.layers.Dense(units, activation="tanh")

    def build(self, input_shape):
        """Create the weights for inputs `[B, D]`."""
        both = (None, input_shape[-1] + self.units)
        self.gate.build(both)
        self.candidate.build(both)
        self.built = True

    def call(self, inputs, states, training=False):
        """Compute one step; the gate interpolates between the old state and the candidate."""
        (before,) = states
        gate = self.gate(ops.concatenate([inputs, before], axis=-1))
        new = self.candidate(ops.concatenate([inputs, gate * before], axis=-1))
        after = before + gate * (new - before)
        return after, [after]

    def get_config(self):
        """Return the arguments of `__init__`."""
        return {**super().get_config(), "units": self.units}


def minimal_gru(units, **options):
    """Create the layer. `--cell` calls it with `units` and the options of a Keras RNN layer."""
    return keras.layers.RNN(MinimalGRUCell(units), **options)


class Parity(ExampleTask):
    """Parity task: classify whether a binary sequence has an odd number of ones.

    Args:
        config: Configuration of the run, with the seed of the data.
        length: Length of the sequences, T.
    """

    metric = monitor = "accuracy"

    def __init__(self, config, length=12):
        super().__init__(config)
        self.length = length

    @property
    def baseline(self):
        """The accuracy of guessing and of a perfect model."""
        return Baseline("chance", value=0.5, target=1.0)

    def examples_in(self, split):
        """Return the number of examples in a split; None for an unlimited number."""
        return None if split == Split.TRAIN else 512

    def examples(self, split, start, count):
        """Return inputs `[n, T]` and targets `[n]`, reproducible by seed and example number."""
        kind = list(Split).index(split)
        generator = np.random.default_rng([self.config.seed, kind, start])
        bits = generator.integers(0, 2, (count, self.length), dtype="int32")
        return bits, bits.sum(axis=1) % 2

    def model(self):
        """Return the compiled model: one-hot inputs, the run's cells and two classes."""
        model = classifier(self.config, self.length, 2, 2, every_step=False)
        accuracy = keras.metrics.SparseCategoricalAccuracy(name=self.metric)
        compile_model(model, self.config, [accuracy])
        return model


class WeightNorm(keras.callbacks.Callback):
    """Record the norm of all weights at each evaluation, in `metrics.jsonl`."""

    def on_epoch_end(self, epoch, logs=None):
        """Add the norm to the metrics of each evaluation."""
        squares = [ops.sum(ops.square(weight)) for weight in self.model.trainable_weights]
        logs["weight_norm"] = float(ops.sqrt(sum(squares)))
