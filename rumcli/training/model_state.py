"""Conversion between the state of a model in training and named arrays.

The state consists of the weights, the seed generators' state, the optimizer's variables, and the
running metrics since the last evaluation. With it a resumed run is bitwise equal to an
uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from rumcli.errors import RunError

_MODEL = "model"
_OPTIMIZER = "optimizer"
_METRICS = "metrics"


def capture(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the weights, seed states and optimizer variables of a model, by name."""
    return _read(persistent_variables(model))


def capture_metrics(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the running metrics of a model, by name."""
    return _read(_metrics(model))


def restore(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Restore the state returned by `capture`.

    Args:
        model: Compiled model of the same configuration.
        arrays: Arrays by name.

    Raises:
        RunError: If an array is missing, or its shape or type does not match the model.
    """
    _assign(persistent_variables(model), arrays)


def restore_metrics(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Restore the running metrics returned by `capture_metrics`."""
    _assign(_metrics(model), arrays)


def restore_weights(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Restore only the variables that inference needs."""
    _assign(_named(_MODEL, model.variables), arrays)


def persistent_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the variables that `capture` reads, by name."""
    model.optimizer.build(model.trainable_variables)
    return {
        **_named(_MODEL, model.variables),
        **_named(_OPTIMIZER, model.optimizer.variables),
    }


def random_states(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the seed generators' variables among those that `capture` reads, by name."""
    return {
        name: variable
        for name, variable in _named(_MODEL, model.variables).items()
        if variable.name == "seed_generator_state"
    }


def metrics_among(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the running metrics among arrays, by name."""
    return {name: array for name, array in arrays.items() if name.startswith(f"{_METRICS}/")}


def _metrics(model: keras.Model) -> dict[str, keras.Variable]:
    return _named(_METRICS, model.metrics_variables)


def _read(variables: Mapping[str, keras.Variable]) -> dict[str, np.ndarray]:
    return {name: keras.ops.convert_to_numpy(variable) for name, variable in variables.items()}


def _named(part: str, variables: list[keras.Variable]) -> dict[str, keras.Variable]:
    # By position: paths contain counters that depend on the layers created before.
    return {
        f"{part}/{number:03d}.{variable.name}": variable
        for number, variable in enumerate(variables)
    }


def _assign(variables: Mapping[str, keras.Variable], arrays: Mapping[str, np.ndarray]) -> None:
    for name, variable in variables.items():
        array, shape, dtype = arrays.get(name), tuple(variable.shape), _dtype(variable)
        if array is None:
            raise RunError(f"the checkpoint does not match the model: '{name}' is missing")
        # Only numeric arrays can be assigned to variables.
        if array.shape != shape or not _fits(array, dtype):
            raise RunError(
                f"the checkpoint does not match the model: '{name}' has shape {array.shape} and "
                f"type {array.dtype}; expected {shape} and {dtype}"
            )
        variable.assign(array)


def _fits(array: np.ndarray, dtype: np.dtype) -> bool:
    if np.can_cast(array.dtype, dtype, "same_kind"):
        return True
    # The state of a seed generator is signed on some backends and unsigned on others.
    are_integers = array.dtype.kind in "iu" and dtype.kind in "iu"
    return are_integers and np.array_equal(array.astype(dtype), array)


def _dtype(variable: keras.Variable) -> np.dtype:
    return keras.ops.convert_to_numpy(variable).dtype
