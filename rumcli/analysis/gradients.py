"""Gradients of a function of arrays on the active Keras backend, for self-tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import backend, ops


def gradients(function: Callable[..., Any], arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the gradients of a scalar function with respect to its arguments.

    Args:
        function: Function of tensors that returns a scalar tensor.
        arguments: Arrays at which to differentiate it.

    Returns:
        One gradient for each argument, in its shape.

    Raises:
        ValueError: If the backend is neither TensorFlow, JAX nor PyTorch.
    """
    name = backend.backend()
    tensors = [ops.convert_to_tensor(argument) for argument in arguments]
    if name == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        found = tape.gradient(value, tensors, unconnected_gradients="zero")
    elif name == "jax":
        import jax

        found = jax.grad(function, argnums=tuple(range(len(tensors))))(*tensors)
    elif name == "torch":
        import torch

        leaves = [tensor.detach().requires_grad_() for tensor in tensors]
        value = function(*leaves)
        found = torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True)
    else:
        raise ValueError(f"no gradients on the backend {name!r}")
    return [np.asarray(ops.convert_to_numpy(array)) for array in found]
