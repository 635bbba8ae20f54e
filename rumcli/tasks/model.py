"""What the models of all tasks share: the cell, the output layer, the optimiser."""

from __future__ import annotations

from typing import Any

import keras

from rumcli import cells
from rumcli.config import RunConfig
from rumcli.errors import ConfigError

_BIAS_START = 0.01  # of the output layer, as in the original implementation


def recurrent(config: RunConfig, return_sequences: bool) -> keras.layers.Layer:
    """Make the run's cell as a layer.

    Raises:
        ConfigError: If the cell can't be what the configuration asks for on this backend.
    """
    options: dict[str, Any] = config.cell.model_dump()
    name, units = options.pop("name"), options.pop("units")
    try:
        return cells.make(name, units, **options, return_sequences=return_sequences, name="cell")
    except ValueError as error:
        raise ConfigError(f"cell '{name}': {error}") from error


def classifier(
    config: RunConfig, length: int, input_classes: int, output_classes: int, every_step: bool
) -> keras.Model:
    """Make a model from symbols to classes: one-hot, the cell, dropout, one linear layer.

    Args:
        config: The run's configuration.
        length: Number of time steps, T.
        input_classes: Number of different symbols, C.
        output_classes: Number of classes, K.
        every_step: Whether there is an answer at every step, or at the last.

    Returns:
        A model from `[B, T]` integers to logits `[B, T, K]`, or `[B, K]`.
    """
    return keras.Sequential(
        [
            keras.Input((length,), dtype="int32", name="symbols"),
            keras.layers.CategoryEncoding(input_classes, output_mode="one_hot", name="one_hot"),
            recurrent(config, return_sequences=every_step),
            keras.layers.Dropout(config.model.dropout, name="dropout"),
            keras.layers.Dense(
                output_classes,
                kernel_initializer="glorot_uniform",
                bias_initializer=keras.initializers.Constant(_BIAS_START),
                # Softmax and its logarithm in half precision would round the loss away.
                dtype=keras.config.dtype_policy().variable_dtype,
                name="logits",
            ),
        ],
        name=config.task.name,
    )


def compile_model(model: keras.Model, config: RunConfig, metric: keras.metrics.Metric) -> None:
    """Give the model its optimiser, its loss and its metric."""
    options = config.optimizer.model_dump()
    clip_norm = options.pop("clip_norm")
    optimizers = {"rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam}
    optimizer = optimizers[options.pop("name")](**options, global_clipnorm=clip_norm)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=[metric])
