"""What the models of all tasks share: the cells, the output layer, how they are compiled."""

from __future__ import annotations

import math
from typing import Any

import keras

from rumcli import cells, plugins
from rumcli.config import RMS, CustomCellConfig, RunConfig
from rumcli.errors import ConfigError
from rumcli.models import optimizers

_BIAS_START = 0.01  # of the output layer, as in the original implementation


def recurrent(
    config: RunConfig, every_step: bool, return_state: bool = False
) -> list[keras.layers.RNN]:
    """Make the run's cells as layers, to be stacked.

    Args:
        config: The run's configuration.
        every_step: Whether the last of them has an output at every step, or at the last step only.
        return_state: Whether they return their states too.

    Raises:
        ConfigError: If a cell can't be what the configuration asks for on this backend.
    """
    if isinstance(config.cell, CustomCellConfig):
        return _recurrent_of_user(config, config.cell, every_step, return_state)
    options: dict[str, Any] = config.cell.model_dump()
    name, units = options.pop("name"), options.pop("units")
    count = config.model.layers
    try:
        return [
            cells.make(
                name,
                units,
                **options,
                return_sequences=every_step or number < count,
                return_state=return_state,
                name=numbered("cell", number),
            )
            for number in range(1, count + 1)
        ]
    except ValueError as error:
        raise ConfigError(f"cell '{name}': {error}") from error


def _recurrent_of_user(
    config: RunConfig, cell: CustomCellConfig, every_step: bool, return_state: bool
) -> list[keras.layers.RNN]:
    found = []
    for number in range(1, config.model.layers + 1):
        # Who is not asked for states need not know of them.
        options: dict[str, Any] = {"return_state": True} if return_state else {}
        options["return_sequences"] = every_step or number < config.model.layers
        options["name"] = numbered("cell", number)
        layer = plugins.make(cell.factory, "cell", cell.units, **{**cell.options, **options})
        # Only a whole RNN has states to be carried on.
        expected = keras.layers.RNN if return_state else keras.layers.Layer
        if not isinstance(layer, expected):
            raise ConfigError(
                f"cell {cell.factory}: expected a keras.layers.{expected.__name__}, got "
                f"{type(layer).__name__}"
            )
        found.append(layer)
    return found


def numbered(name: str, number: int) -> str:
    """Name the layers of a kind: `cell`, `cell_2`, `cell_3`."""
    return name if number == 1 else f"{name}_{number}"


def classifier(
    config: RunConfig, length: int, input_classes: int, output_classes: int, every_step: bool
) -> keras.Model:
    """Make a model from symbols to classes: one-hot, cells with dropout, one linear layer.

    Args:
        config: The run's configuration.
        length: Number of time steps, T.
        input_classes: Number of different symbols, C.
        output_classes: Number of classes, K.
        every_step: Whether there is an answer at every step, or at the last.

    Returns:
        A model from `[B, T]` integers to logits `[B, T, K]`, or `[B, K]`.
    """
    layers = [
        keras.Input((length,), dtype="int32", name="symbols"),
        keras.layers.CategoryEncoding(input_classes, output_mode="one_hot", name="one_hot"),
    ]
    for number, cell in enumerate(recurrent(config, every_step), 1):
        layers += [cell, dropout(config, number)]
    layers += logits(
        config,
        output_classes,
        kernel_initializer="glorot_uniform",
        bias_initializer=keras.initializers.Constant(_BIAS_START),
    )
    return keras.Sequential(layers, name=config.task.name)


def dropout(config: RunConfig, number: int) -> keras.layers.Dropout:
    """Make the dropout layer with that number."""
    return keras.layers.Dropout(config.model.dropout, name=numbered("dropout", number))


def logits(config: RunConfig, classes: int, **initializers: Any) -> list[keras.layers.Layer]:
    """Make the output layer, to whose logits a softmax belongs, and what scales its inputs.

    A state with time norm η has the length η, and logits are at most η times as long as a column
    of the output layer's weights. With a small η the loss can fall only as fast as these grow,
    unless the scale makes up for it: 1/η, or √H/η, with which each of the H units is about as large
    as it is without time norm.
    """
    # Softmax and its logarithm in half precision would round the loss away.
    dtype = keras.config.dtype_policy().variable_dtype
    layers = [keras.layers.Dense(classes, dtype=dtype, name="logits", **initializers)]
    if (scale := _output_scale(config)) != 1.0:
        layers.insert(0, keras.layers.Rescaling(scale, name="output_scale"))
    return layers


def _output_scale(config: RunConfig) -> float:
    scale = config.model.output_scale
    if not isinstance(scale, str):
        return scale
    norm = getattr(config.cell, "time_norm", None)
    if norm is None:
        return 1.0
    length = math.sqrt(config.cell.units) if scale == RMS else 1.0
    return length / norm


def apply_layers(layers: list[keras.layers.Layer], value: Any) -> Any:
    """Return what comes out of layers, one after the other."""
    for layer in layers:
        value = layer(value)
    return value


def compile_model(
    model: keras.Model,
    config: RunConfig,
    metrics: list[keras.metrics.Metric],
    summed_over: int = 1,
) -> None:
    """Give the model its optimizer, its loss, the mean cross-entropy, and its metrics.

    Args:
        model: The model.
        config: The run's configuration.
        metrics: What is measured beside the loss.
        summed_over: The number of terms of the loss whose sum the optimizer shall act on.
    """
    skip = config.train.on_non_finite == "skip"
    model.compile(
        optimizer=optimizers.make(config.optimizer, config.train.steps, summed_over, skip),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=metrics,
    )
    # Else the first step makes the optimizer's variables, and TensorFlow traces the step twice.
    model.optimizer.build(model.trainable_variables)


def count_weights(layer: keras.layers.Layer) -> int:
    """Return the number of trainable weights of a model or a layer."""
    return sum(math.prod(weight.shape) for weight in layer.trainable_weights)
