"""Gradients and compiled functions for tests, for whichever backend Keras runs on.

The tests themselves know `keras.ops` and NumPy only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from rumcli.training import run_environment

BACKEND = keras.config.backend()

Arrays = Sequence[np.ndarray]


def float64_is_available() -> bool:
    """Whether the backend computes in float64; JAX does with `JAX_ENABLE_X64=1` only."""
    return run_environment.supports_dtype("float64")


needs_float64 = pytest.mark.skipif(
    not float64_is_available(),
    reason="float64 needs TensorFlow, or JAX with JAX_ENABLE_X64=1",
)
needs_tensorflow = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="needs the TensorFlow backend"
)
HAS_FUSED_LOOPS = BACKEND in ("tensorflow", "jax")
needs_fused_loops = pytest.mark.skipif(
    not HAS_FUSED_LOOPS, reason="needs an engine with fused loops"
)
needs_kernels = pytest.mark.skipif(
    not HAS_FUSED_LOOPS or not float64_is_available(),
    reason="needs an engine with fused loops, and float64",
)

FLOAT_DTYPES = ["float32", pytest.param("float64", marks=needs_float64)]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of tensors: finite differences call it many times."""
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    if BACKEND == "torch":
        return function
    import tensorflow as tf

    return tf.function(function, autograph=False)


def gradients(function: Callable[..., Any], arguments: Arrays) -> list[np.ndarray]:
    """Return the gradients of a scalar function with respect to all of its arguments."""
    if BACKEND == "jax":
        found = _jax_gradients(function, len(arguments))(*map(ops.convert_to_tensor, arguments))
    elif BACKEND == "torch":
        import torch

        leaves = [torch.tensor(argument, requires_grad=True) for argument in arguments]
        value = function(*leaves)
        found = torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True)
    else:
        import tensorflow as tf

        tensors = [tf.constant(argument) for argument in arguments]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        found = tape.gradient(value, tensors, unconnected_gradients="zero")
    return [ops.convert_to_numpy(gradient) for gradient in found]


@functools.cache
def _jax_gradients(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    # Compiled, and once per function: otherwise JAX compiles each operation for each shape.
    import jax

    return jax.jit(jax.grad(function, argnums=tuple(range(count))))


def gradient_errors(
    function: Callable[..., Any], arguments: Arrays, step: float = 1e-6
) -> list[float]:
    """Return how far the gradients of a scalar function are from central finite differences.

    Both are compared along random directions of each argument, as many as it has entries, at most
    three: an error in any entry shows in all of them.

    Args:
        function: Function of float64 tensors.
        arguments: Where it is differentiated.
        step: Length of a step along a direction with entries of size one.

    Returns:
        The relative error for each argument, in the Euclidean norm over its directions.
    """
    arguments = [np.array(argument, dtype="float64") for argument in arguments]
    evaluate, rng, errors = compiled(function), np.random.default_rng(3), []
    tensors = [ops.convert_to_tensor(argument) for argument in arguments]

    def value_at(index: int, argument: np.ndarray) -> float:
        moved = ops.convert_to_tensor(argument)
        return float(evaluate(*tensors[:index], moved, *tensors[index + 1 :]))

    for index, gradient in enumerate(gradients(function, arguments)):
        found, expected = [], []
        for _ in range(min(arguments[index].size, 3)):
            direction = rng.standard_normal(arguments[index].shape)
            above, below = (
                value_at(index, arguments[index] + sign * direction) for sign in (step, -step)
            )
            expected.append((above - below) / (2 * step))
            found.append(np.sum(gradient * direction))
        errors.append(relative_error(np.array(found), np.array(expected)))
    return errors


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Return `|actual − expected| / |expected|`, with Euclidean norms over all entries."""
    scale = np.linalg.norm(expected.ravel())
    error = np.linalg.norm((actual - expected).ravel())
    return float(error / scale) if scale > 0 else float(error)
