"""Model builders shared by all tasks: recurrent layers, output layer and compilation."""

from __future__ import annotations

import math
from typing import Any

import keras

from rumcli import cells, plugins
from rumcli.config import RMS, CustomCellConfig, RunConfig
from rumcli.errors import ConfigError
from rumcli.models import optimizers

_BIAS_START = 0.01  # initial bias of the output layer, as in the original implementation


def recurrent(
    config: RunConfig, every_step: bool, return_state: bool = False
) -> list[keras.layers.RNN]:
    """Create the stack of recurrent layers of a run.

    Args:
        config: Configuration of the run.
        every_step: Whether the last layer returns its outputs at every step, or at the last only.
        return_state: Whether the layers also return their states.

    Returns:
        The layers, in the order of application.

    Raises:
        ConfigError: If the configuration of the cell is invalid or unsupported on this backend.
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
        # Set `return_state` only if needed: a custom layer may not accept it.
        options: dict[str, Any] = {"return_state": True} if return_state else {}
        options["return_sequences"] = every_step or number < config.model.layers
        options["name"] = numbered("cell", number)
        layer = plugins.make(cell.factory, "cell", cell.units, **{**cell.options, **options})
        # Only a `keras.layers.RNN` has states to carry over to the next batch.
        expected = keras.layers.RNN if return_state else keras.layers.Layer
        if not isinstance(layer, expected):
            raise ConfigError(
                f"cell {cell.factory}: expected a keras.layers.{expected.__name__}, got "
                f"{type(layer).__name__}"
            )
        found.append(layer)
    return found


def numbered(name: str, number: int) -> str:
    """Return the name of the nth layer of its kind: `cell`, `cell_2`, `cell_3`."""
    return name if number == 1 else f"{name}_{number}"


def classifier(
    config: RunConfig,
    length: int,
    input_classes: int,
    output_classes: int,
    every_step: bool,
    embedding: int | None = None,
) -> keras.Model:
    """Create a classifier of symbol sequences: one-hot, recurrent layers with dropout, dense layer.

    Args:
        config: Configuration of the run.
        length: Number of time steps, T.
        input_classes: Number of input symbols, C.
        output_classes: Number of classes, K.
        every_step: Whether to predict at every step, or at the last step only.
        embedding: Size of a symbol's learned vector; None for one-hot vectors.

    Returns:
        A model that maps integers `[B, T]` to logits `[B, T, K]`, or `[B, K]`.
    """
    layers = [
        keras.Input((length,), dtype="int32", name="symbols"),
        keras.layers.CategoryEncoding(input_classes, output_mode="one_hot", name="one_hot")
        if embedding is None
        else keras.layers.Embedding(input_classes, embedding, name="embedding"),
    ]
    for number, cell in enumerate(recurrent(config, every_step), 1):
        layers += [cell, dropout(config, number)]
    layers += logits(
        config,
        output_classes,
        input_classes,
        kernel_initializer="glorot_uniform",
        bias_initializer=keras.initializers.Constant(_BIAS_START),
    )
    return keras.Sequential(layers, name=config.task.label)


def regressor(config: RunConfig, length: int, features: int) -> keras.Model:
    """Create a regression of one number on a sequence, from the last step.

    Args:
        config: Configuration of the run.
        length: Number of time steps, T.
        features: Size of the input vectors, D.

    Returns:
        A model that maps `[B, T, D]` to `[B, 1]`.
    """
    layers = [keras.Input((length, features), name="features")]
    for number, cell in enumerate(recurrent(config, every_step=False), 1):
        layers += [cell, dropout(config, number)]
    layers += logits(config, 1, features, kernel_initializer="glorot_uniform")
    return keras.Sequential(layers, name=config.task.label)


def dropout(config: RunConfig, number: int) -> keras.layers.Dropout:
    """Create the dropout layer that follows the recurrent layer with the given number."""
    return keras.layers.Dropout(config.model.dropout, name=numbered("dropout", number))


def logits(
    config: RunConfig, classes: int, input_dim: int, **initializers: Any
) -> list[keras.layers.Layer]:
    """Create the output layer, which returns unnormalized logits, and the scaling of its inputs.

    A state with time norm η has length η, so a logit is bounded by η times the length of a column
    of the output weights. With a small η the loss decreases only as fast as these weights grow. The
    scale compensates for this. It is 1/η, or √H/η to give each of the H units about the magnitude
    it has without time norm.

    Args:
        config: Configuration of the run.
        classes: Number of classes, K.
        input_dim: Width of the first cell's inputs, D, for the original's initializer.
        **initializers: Initializers of the dense layer, unless the configuration has one.

    Returns:
        The layers, in the order of application.
    """
    # In half precision, softmax and its logarithm would lose the loss to rounding.
    dtype = keras.config.dtype_policy().variable_dtype
    if config.model.output_initializer is not None:
        limit = math.sqrt(6 / (input_dim + classes))
        initializers["kernel_initializer"] = keras.initializers.RandomUniform(-limit, limit)
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
    """Apply layers in sequence and return the result."""
    for layer in layers:
        value = layer(value)
    return value


def compile_model(
    model: keras.Model,
    config: RunConfig,
    metrics: list[keras.metrics.Metric],
    summed_over: int = 1,
    loss: keras.losses.Loss | None = None,
) -> None:
    """Compile the model with its optimizer, its loss and its metrics.

    Args:
        model: Model to compile.
        config: Configuration of the run.
        metrics: Metrics besides the loss.
        summed_over: Number of loss terms that the optimizer treats as summed, not averaged.
        loss: Loss; None for the mean cross-entropy.
    """
    skip = config.train.on_non_finite == "skip"
    model.compile(
        optimizer=optimizers.make(config.optimizer, config.train.steps, summed_over, skip),
        loss=loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=metrics,
    )
    # Otherwise the first step creates the optimizer's variables and TensorFlow traces it twice.
    model.optimizer.build(model.trainable_variables)


def count_weights(layer: keras.layers.Layer) -> int:
    """Return the number of trainable weights of a model or a layer."""
    return sum(math.prod(weight.shape) for weight in layer.trainable_weights)
