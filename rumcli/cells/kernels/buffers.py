"""What is kept of every step, written and read a step at a time, in place.

There are two kinds. Rows `[rows, T, B]` have time in the middle: all steps of a row lie together,
so that a product over all of them at once needs no transposition. Pages `[T, rows, B]` have it in
front: a step lies together, which is faster to write and read, and all that a buffer needs that no
product over time is made of.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# TensorFlow's public ops update a slice only along the first axis. These are what its converter
# from JAX is built on.
from tensorflow.compiler.tf2xla.python import xla

Tensor = Any


def empty_rows(rows: int, like: Tensor) -> Tensor:
    """Return a buffer `[rows, T, B]` for the steps and samples of `like [·, T, B]`."""
    shape = tf.shape(like)
    return tf.zeros((rows, shape[1], shape[2]), like.dtype)


def empty_pages(rows: int, like: Tensor) -> Tensor:
    """Return a buffer `[T, rows, B]` for the steps and samples of `like [·, T, B]`."""
    shape = tf.shape(like)
    return tf.zeros((shape[1], rows, shape[2]), like.dtype)


def read_row(buffer: Tensor, time: Tensor) -> Tensor:
    """Return one step `[rows, B]` of a buffer `[rows, T, B]`."""
    sizes = tf.shape(buffer)
    step = xla.dynamic_slice(buffer, [0, time, 0], [sizes[0], 1, sizes[2]])
    return tf.reshape(step, (buffer.shape[0], sizes[2]))


def read_page(buffer: Tensor, time: Tensor) -> Tensor:
    """Return one step `[rows, B]` of a buffer `[T, rows, B]`."""
    sizes = tf.shape(buffer)
    step = xla.dynamic_slice(buffer, [time, 0, 0], [1, sizes[1], sizes[2]])
    return tf.reshape(step, (buffer.shape[1], sizes[2]))


def write_row(buffer: Tensor, time: Tensor, step: Tensor, first: int = 0) -> Tensor:
    """Return the buffer `[rows, T, B]` with one step `[n, B]` replaced, from row `first` on."""
    return xla.dynamic_update_slice(buffer, step[:, tf.newaxis], [first, time, 0])


def write_page(buffer: Tensor, time: Tensor, step: Tensor) -> Tensor:
    """Return the buffer `[T, rows, B]` with one step `[rows, B]` replaced."""
    return xla.dynamic_update_slice(buffer, step[tf.newaxis], [time, 0, 0])


def flat(buffer: Tensor) -> Tensor:
    """Return a buffer `[rows, T, B]` as `[rows, T · B]`."""
    return tf.reshape(buffer, (buffer.shape[0], -1))


def materialise(rows: Tensor) -> Tensor:
    """Have XLA write `rows [n, B]` down, once, instead of making them anew wherever they are used.

    A product with the identity does it, because XLA fuses nothing across a product. A kernel that
    takes single rows out of a buffer is not vectorised, and takes three times as long.
    """
    return tf.matmul(tf.eye(rows.shape[0], dtype=rows.dtype), rows)
