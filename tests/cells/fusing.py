"""Helpers of the tests that compare a fused loop with the plain one; TensorFlow only."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rumcli.cells.kernels import program

from .contract import FEATURES, to_numpy
from .gradients import relative_error


def results(
    layer: Any, inputs: Any, states: list[Any] | None = None, **call: Any
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the outputs of a call, and the gradients by inputs, states and weights."""
    watched = [tf.convert_to_tensor(t) for t in (inputs, *(states or []))]
    with tf.GradientTape() as tape:
        tape.watch(watched)
        given = {} if states is None else {"initial_state": watched[1:]}
        outputs = tf.nest.flatten(layer(watched[0], **given, **call))
        rng = np.random.default_rng(6)
        loss = sum(
            tf.reduce_sum(o * tf.constant(rng.standard_normal(o.shape), o.dtype)) for o in outputs
        )
    found = tape.gradient(loss, [*watched, *(v.value for v in layer.trainable_variables)])
    return to_numpy(outputs), to_numpy(found)


def errors(plain: Any, other: Any) -> list[float]:
    """Return how far each output and each gradient is from the plain loop's, norm-wise."""
    pairs = list(zip(itertools.chain(*other), itertools.chain(*plain), strict=True))
    for found, expected in pairs:
        assert np.all(np.isfinite(found))
        assert found.shape == expected.shape
    return [relative_error(one.astype("float64"), two.astype("float64")) for one, two in pairs]


def assert_same(plain: Any, other: Any, bound: float) -> None:
    """Assert that all outputs, and all gradients, differ by less than `bound`, norm-wise."""
    assert max(errors(plain, other)) < bound


def traces_of(call: Any) -> int:
    """Return how many fused loops a call builds."""
    before = program.traces()
    call()
    return program.traces() - before


def model_with(layer: Any, steps: int | None = 5) -> Any:
    model = keras.Sequential([keras.Input((steps, FEATURES)), layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def in_a_process_of_its_own(check: Callable[..., None], cases: Iterable[tuple]) -> None:
    """Call `check(*case)` for all cases in a new process.

    XLA never gives back the memory maps of what it has compiled, a hundred for a program, and Linux
    allows a process 65,530: some hundred programs.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        for _ in pool.map(check, *zip(*cases, strict=True)):
            pass
