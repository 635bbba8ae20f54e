"""Helpers of the tests that compare a fused loop with the plain one."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops, tree

from tests.cells.contract import FEATURES, compile_model, random_inputs, to_numpy
from tests.cells.gradients import BACKEND, relative_error

if BACKEND == "tensorflow":
    import tensorflow as tf

    from rumcli.cells.fused import tensorflow_custom_gradient as custom_gradient
elif BACKEND == "jax":
    import jax

    from rumcli.cells.fused import jax_custom_gradient as custom_gradient


def results(
    layer: Any, inputs: Any, states: list[Any] | None = None, **call: Any
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the outputs of a call, and the gradients by inputs, states and weights."""
    watched = [ops.convert_to_tensor(t) for t in (inputs, *(states or []))]
    weights = [variable.value for variable in layer.trainable_variables]
    others = [variable.value for variable in layer.non_trainable_variables]

    def loss_and_outputs(watched: list[Any], weights: list[Any]) -> tuple[Any, list[Any]]:
        given = {} if states is None else {"initial_state": watched[1:]}
        if BACKEND == "jax":
            outputs, _ = layer.stateless_call(weights, others, watched[0], **given, **call)
        else:
            outputs = layer(watched[0], **given, **call)
        outputs, rng = tree.flatten(outputs), np.random.default_rng(6)
        return sum(ops.sum(o * rng.standard_normal(o.shape)) for o in outputs), outputs

    if BACKEND == "jax":
        function = jax.value_and_grad(loss_and_outputs, argnums=(0, 1), has_aux=True)
        (_, outputs), found = jax.jit(function)(watched, weights)
        return to_numpy(outputs), to_numpy([*found[0], *found[1]])
    with tf.GradientTape() as tape:
        tape.watch(watched)
        loss, outputs = loss_and_outputs(watched, weights)
    return to_numpy(outputs), to_numpy(tape.gradient(loss, [*watched, *weights]))


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


def assert_masked_alike(layers: tuple[Any, Any], random_states: Callable[..., Any]) -> None:
    """Assert that two layers do the same with steps that a mask leaves out."""
    inputs = random_inputs(6, "float64", 4)
    mask = np.ones((4, 6), bool)
    mask[1, 2:4] = mask[2, :3] = mask[2, 5] = False  # within, before and after the real steps
    mask[3] = False
    plain, other = (
        results(
            layer, inputs, random_states(layer, 4), mask=ops.convert_to_tensor(mask), training=True
        )
        for layer in layers
    )
    assert_same(plain, other, 1e-11)


def assert_half_precision_is_rounded_only(make: Callable[..., Any], dtype: str) -> None:
    """Assert that the fused loop in half precision computes in float32 and rounds the results."""

    def rounded(values: Any) -> np.ndarray:
        return to_numpy(ops.cast(ops.cast(values, dtype), "float32"))

    exact, _ = pair(make, 7, dtype="float32")
    plain, layer = pair(make, 7, dtype=dtype)
    for one, other in zip(exact.trainable_variables, layer.trainable_variables, strict=True):
        one.assign(rounded(other.value))
    rng = np.random.default_rng(7)
    states = [rounded(0.3 * rng.standard_normal((3, n))) for n in layer.state_size]
    inputs = rounded(random_inputs(6))

    expected, similar, found = (
        results(each, inputs, states, training=True) for each in (exact, plain, layer)
    )

    for one, other in zip(itertools.chain(*found), itertools.chain(*similar), strict=True):
        assert one.dtype == other.dtype
    # The cotangents of the outputs are rounded as well as the results, each by half of this.
    assert_same(expected, found, {"bfloat16": 2.0**-7, "float16": 2.0**-10}[dtype])
    # The plain loop makes its products in half precision, and layer norm enlarges their rounding.
    assert_same(similar, found, {"bfloat16": 0.15, "float16": 0.03}[dtype])


def assert_second_order_is_refused(layer: Any) -> None:
    """Assert that a gradient of a gradient is an error which says what to do."""
    inputs = ops.convert_to_tensor(random_inputs(4, "float64"))
    if BACKEND == "jax":
        gradient = jax.grad(lambda inputs: ops.sum(layer(inputs)[0] ** 2))
        for derivative in (jax.jacrev(gradient), jax.jacfwd(lambda inputs: layer(inputs)[0])):
            with pytest.raises(NotImplementedError, match="implementation='plain'"):
                derivative(inputs)
        return
    with tf.GradientTape() as outer:
        outer.watch(inputs)
        with tf.GradientTape() as inner:
            inner.watch(inputs)
            outputs = tf.reduce_sum(layer(inputs)[0] ** 2)
        gradient = inner.gradient(outputs, inputs)
    with pytest.raises(NotImplementedError, match="implementation='plain'"):
        outer.gradient(gradient, inputs)


def pair(
    make: Callable[..., Any],
    units: int,
    features: int = FEATURES,
    batch: int | None = None,
    **options: Any,
) -> tuple[Any, Any]:
    """Return a plain and a fused layer with the same weights.

    Biases and gains are away from their initial values, which are all equal. Kernels are not: with
    larger ones some of the options make chaos of rounding errors within two hundred steps.

    Args:
        make: The layer's class, or whatever else makes one of these options.
        units: Its size.
        features: That of its inputs.
        batch: Number of samples, if it is stateful.
        options: Those of the layer, on top of what the tests need.
    """
    options = {"return_sequences": True, "return_state": True, "dtype": "float64", **options}
    keras.utils.set_random_seed(3)
    plain, other = (
        make(units, implementation=implementation, **options)
        for implementation in ("plain", "fused")
    )
    for layer in (plain, other):
        layer.build((batch, None, features))
    rng = np.random.default_rng(4)
    for one, another in zip(plain.trainable_variables, other.trainable_variables, strict=True):
        value = to_numpy(one.value)
        if value.ndim == 1:
            value = value + 0.1 * rng.standard_normal(value.shape)
        one.assign(value)
        another.assign(value)
    return plain, other


def rum_pair(layer_class: Any, units: int, **options: Any) -> tuple[Any, Any]:
    """Return a `pair` of RUM or ARUM, which draw the same."""
    return pair(layer_class, units, seed=5, **options)


def random_states(layer: Any, batch: int, dtype: str = "float64") -> list[np.ndarray]:
    """Return states of which no memory is orthogonal, but none makes the state grow either."""
    rng = np.random.default_rng(7)
    scale = 0.5 / np.sqrt(layer.cell.units)
    return [(scale * rng.standard_normal((batch, n))).astype(dtype) for n in layer.state_size]


def assert_finite_for_inputs_of(layer: Any, magnitudes: Iterable[float]) -> None:
    """Assert that all outputs and gradients are finite, for inputs of these magnitudes."""
    inputs = random_inputs(5, "float64", 4)
    for magnitude in magnitudes:
        outputs, gradients = results(layer, (magnitude * inputs).astype("float32"))
        for array in (*outputs, *gradients):
            assert np.all(np.isfinite(array)), magnitude


def traces_of(call: Any) -> int:
    """Return how many fused loops a call builds."""
    before = custom_gradient.traces()
    call()
    return custom_gradient.traces() - before


def model_with(layer: Any, steps: int | None = 5) -> Any:
    model = keras.Sequential([keras.Input((steps, FEATURES)), layer, keras.layers.Dense(1)])
    compile_model(model, keras.optimizers.SGD())
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
