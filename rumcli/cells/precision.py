"""Precisions that the active backend supports; some backends do not compute in float64."""

from __future__ import annotations

from keras import backend, ops


def is_available(dtype: str) -> bool:
    """Return whether the backend computes in a dtype, such as `"float64"`."""
    one = ops.ones((1, 1), dtype=dtype)
    # Test a product: on PyTorch, Keras creates float64 tensors but multiplies them in float32.
    return backend.standardize_dtype(ops.matmul(one, one).dtype) == dtype


def remedy() -> str:
    """Return the advice that ends an error message about unavailable float64."""
    if backend.backend() == "jax":
        return "set the environment variable JAX_ENABLE_X64=1"
    return "set KERAS_BACKEND=tensorflow, or KERAS_BACKEND=jax with JAX_ENABLE_X64=1"
