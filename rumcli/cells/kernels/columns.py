"""Formulas on columns `[H, B]`, one sample a column, each forwards and backwards.

The same as in `rumcli.cells.rotation` and `rumcli.cells.normalization`, except that the backward
pass is written out and gets the statistics of the forward pass, `[1, B]` each, instead of finding
them again. A function takes them from `known`: see `Statistics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from keras import activations

from rumcli.cells.normalization import LAYER_NORM_EPSILON, SMALLEST_NORM
from rumcli.cells.rotation import OPPOSED_NORM, ZERO_NORM

Tensor = Any

# These see the whole column; the other activations see one entry at a time.
_ACROSS_UNITS = ("softmax", "log_softmax", "sparsemax")
# `glu` halves its argument.
_UNSUITABLE = ("glu",)


class Statistics:
    """The numbers `[1, B]` that one step computes forwards and looks up backwards.

    Called with a name and a function: forwards it calls the function and notes the result,
    backwards it returns the noted result. One text of a formula so serves both ways.
    """

    def __init__(self, names: Sequence[str], noted: Tensor | None = None) -> None:
        """Begin a step.

        Args:
            names: Of all statistics, in the order of the rows.
            noted: Those of the forward pass, `[len(names), B]`; None forwards.
        """
        self._names = names
        self._values: dict[str, Tensor] = {}
        self._is_noted = noted is not None
        if noted is not None:
            self._values = {name: noted[row : row + 1] for row, name in enumerate(names)}

    def __call__(self, name: str, compute: Callable[[], Tensor]) -> Tensor:
        """Return the statistic of that name."""
        if not self._is_noted:
            self._values[name] = compute()
        return self._values[name]

    def rows(self) -> Tensor:
        """Return all statistics, `[len(names), B]`."""
        return tf.concat([self._values[name] for name in self._names], axis=0)


def total(x: Tensor) -> Tensor:
    """Return the sum over the units, `[H, ...]` → `[1, ...]`."""
    return tf.reduce_sum(x, axis=0, keepdims=True)


def inverse_length(x: Tensor) -> Tensor:
    """Return `1/|x|` of columns `[H, ...]` of any magnitude, as `[1, ...]`; zero for zero."""
    size = tf.stop_gradient(_mean_size(x))
    is_zero = size <= ZERO_NORM[x.dtype.name]
    reciprocal = 1.0 / tf.where(is_zero, tf.ones_like(size), size)
    scaled = x * reciprocal
    squared = tf.where(is_zero, tf.ones_like(size), total(scaled * scaled))
    return tf.where(is_zero, tf.zeros_like(size), tf.math.rsqrt(squared) * reciprocal)


def sum_of_directions(a: Tensor, b: Tensor, known: Statistics) -> tuple[Tensor, Tensor]:
    """Return `a + b`, made perpendicular to `a − b`, and the reciprocal of its length.

    Args:
        a: `[H, B]`, of length 1 or 0.
        b: `[H, B]`, of length 1 or 0.
        known: Statistics of the step.

    Returns:
        `[H, B]`, and `[1, B]`, which is zero where there is no bisector; see `bisector`.
    """
    difference = a - b
    summed = a + b
    correction = known("correction", lambda: 0.25 * total(summed * difference))
    summed = summed - tf.stop_gradient(correction) * difference

    def inverse() -> Tensor:
        squared = total(summed * summed)
        exists = squared > OPPOSED_NORM[a.dtype.name] ** 2
        exists = tf.logical_and(exists, total(a * a) > 0.5)
        length = tf.math.rsqrt(tf.where(exists, squared, tf.ones_like(squared)))
        return tf.where(exists, length, tf.zeros_like(length))

    return summed, known("bisector_inverse", inverse)


def normalise(x: Tensor, name: str, known: Statistics) -> tuple[Tensor, Tensor]:
    """Return columns of mean 0 and variance 1, and the reciprocal of their deviation."""
    share = 1.0 / x.shape[0]
    centred = x - known(f"{name}_mean", lambda: share * total(x))
    inverse = known(
        f"{name}_inverse",
        lambda: tf.math.rsqrt(share * total(centred * centred) + LAYER_NORM_EPSILON),
    )
    return centred * inverse, inverse


def normalise_backward(normalised: Tensor, inverse: Tensor, cotangent: Tensor) -> Tensor:
    """Return the cotangent of the argument of `normalise`."""
    share = 1.0 / normalised.shape[0]
    slope = share * total(cotangent * normalised)
    return inverse * (cotangent - share * total(cotangent) - slope * normalised)


def time_norm(x: Tensor, norm: float) -> Tensor:
    """Return the factors `[1, B]` that give columns the length `norm`; see `scale_to_norm`."""
    scale = tf.stop_gradient(tf.maximum(_mean_size(x), SMALLEST_NORM / x.shape[0]))
    scaled = x * (1.0 / scale)
    floor = tf.square(SMALLEST_NORM / scale)
    return norm * tf.math.rsqrt(tf.maximum(total(scaled * scaled), floor)) / scale


def time_norm_backward(factor: Tensor, result: Tensor, norm: float, cotangent: Tensor) -> Tensor:
    """Return the cotangent of what was multiplied by `factor = time_norm(...)` to give `result`."""
    # Where the floor was in force the factor is a constant. Rounding must not hide that it was.
    is_free = factor < (1.0 - 1e-6) * norm / SMALLEST_NORM
    slope = total(result * cotangent) / norm**2
    return factor * (cotangent - tf.where(is_free, slope, tf.zeros_like(slope)) * result)


def sigmoid_backward(result: Tensor, cotangent: Tensor) -> Tensor:
    """Return the cotangent of the argument of a sigmoid."""
    return cotangent * result * (1.0 - result)


def is_known_activation(activation: Callable[[Tensor], Tensor]) -> bool:
    """Tell whether an activation is one of Keras's own that keeps the shape of its argument."""
    name = getattr(activation, "__name__", "")
    return getattr(activations, name, None) is activation and name not in _UNSUITABLE


def activate(name: str, x: Tensor) -> Tensor:
    """Apply the activation of that name in `keras.activations` to columns."""
    function = getattr(activations, name)
    if name in _ACROSS_UNITS:
        return tf.transpose(function(tf.transpose(x)))
    return function(x)


def activate_backward(name: str, x: Tensor, cotangent: Tensor) -> Tensor:
    """Return the cotangent of the argument `x` of `activate`."""
    return tf.gradients(activate(name, x), x, cotangent)[0]


def _mean_size(x: Tensor) -> Tensor:
    # A scale by which squares neither overflow nor vanish. The largest entry would do as well, but
    # XLA sums faster than it compares. Divided before it is added up, so that it can't overflow.
    return total(tf.abs(x) * (1.0 / x.shape[0]))
