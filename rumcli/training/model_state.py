"""All that changes in a model as it is trained, as named arrays, and back into the model.

Weights, state of the random generators, the optimizer's variables, and the running metrics of the
span between two evaluations: with them a resumed run goes on to the last bit.
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
    """Return the weights, random states and optimizer's variables, by name."""
    return _read(persistent_variables(model))


def capture_metrics(model: keras.Model) -> dict[str, np.ndarray]:
    """Return the running metrics, by name."""
    return _read(_metrics(model))


def restore(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Put back what `capture` returned.

    Raises:
        RunError: If the arrays are those of another model.
    """
    _assign(persistent_variables(model), arrays)


def restore_metrics(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Put back what `capture_metrics` returned."""
    _assign(_metrics(model), arrays)


def restore_weights(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Put back only what inference needs."""
    _assign(_named(_MODEL, model.variables), arrays)


def persistent_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the variables behind `capture`, by name."""
    model.optimizer.build(model.trainable_variables)
    return {
        **_named(_MODEL, model.variables),
        **_named(_OPTIMIZER, model.optimizer.variables),
    }


def random_states(model: keras.Model) -> dict[str, keras.Variable]:
    """Return those of the variables behind `capture` that are of random generators, by name."""
    return {
        name: variable
        for name, variable in _named(_MODEL, model.variables).items()
        if variable.name == "seed_generator_state"
    }


def metrics_among(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return those of the arrays that are running metrics."""
    return {name: array for name, array in arrays.items() if name.startswith(f"{_METRICS}/")}


def _metrics(model: keras.Model) -> dict[str, keras.Variable]:
    return _named(_METRICS, model.metrics_variables)


def _read(variables: Mapping[str, keras.Variable]) -> dict[str, np.ndarray]:
    return {name: keras.ops.convert_to_numpy(variable) for name, variable in variables.items()}


def _named(part: str, variables: list[keras.Variable]) -> dict[str, keras.Variable]:
    # By position, because paths contain counters that depend on what was made before.
    return {
        f"{part}/{number:03d}.{variable.name}": variable
        for number, variable in enumerate(variables)
    }


def _assign(variables: Mapping[str, keras.Variable], arrays: Mapping[str, np.ndarray]) -> None:
    for name, variable in variables.items():
        if name not in arrays or arrays[name].shape != tuple(variable.shape):
            raise RunError(f"the checkpoint does not fit the model: '{name}' is missing or differs")
        # Numbers go into numbers; what else an array can hold, no variable can.
        if not _fits(arrays[name], _dtype(variable)):
            raise RunError(f"the checkpoint does not fit the model: '{name}' has another type")
        variable.assign(arrays[name])


def _fits(array: np.ndarray, dtype: np.dtype) -> bool:
    if np.can_cast(array.dtype, dtype, "same_kind"):
        return True
    # The state of a random generator is signed on some backends, and unsigned on others.
    are_integers = array.dtype.kind in "iu" and dtype.kind in "iu"
    return are_integers and np.array_equal(array.astype(dtype), array)


def _dtype(variable: keras.Variable) -> np.dtype:
    return keras.ops.convert_to_numpy(variable).dtype
