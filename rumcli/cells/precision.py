"""The precisions that the backend computes in: not every one computes in float64."""

from __future__ import annotations

from keras import backend, ops


def is_available(dtype: str) -> bool:
    """Tell whether the backend computes in a dtype, such as `"float64"`."""
    one = ops.ones((1, 1), dtype=dtype)
    # A product: on PyTorch, Keras makes arrays of float64 but multiplies matrices in float32.
    return backend.standardize_dtype(ops.matmul(one, one).dtype) == dtype


def remedy() -> str:
    """Return what to do where float64 is not available, as the end of an error message."""
    if backend.backend() == "jax":
        return "set the environment variable JAX_ENABLE_X64=1"
    return "set KERAS_BACKEND=tensorflow, or KERAS_BACKEND=jax with JAX_ENABLE_X64=1"
