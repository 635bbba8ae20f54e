"""Half precision, and batches and sequences with nothing in them, on every layer."""

import keras
import numpy as np
import pytest
from keras import ops

from rumcli.cells.arum import ARUM, ARUMCell
from rumcli.cells.delta_product import DeltaProduct
from rumcli.cells.eunn import EUNN
from rumcli.cells.fs_rnn import FSRNN
from rumcli.cells.goru import GORU
from rumcli.cells.ln_lstm import LNLSTM, LNLSTMCell
from rumcli.cells.lru import LRU
from rumcli.cells.ops.rotation import rotate, rotation_operator
from rumcli.cells.rum import RUM
from rumcli.cells.slstm import SLSTM
from rumcli.models.encoders import OneHotEmbedding

from .contract import FEATURES, UNITS, random_inputs, to_numpy
from .gradients import BACKEND, compiled, gradients, needs_fused_loops, needs_tensorflow

HALF = ["bfloat16", "float16", "mixed_bfloat16", "mixed_float16"]


def fast_slow(units, dtype=None, **options):
    fast = [LNLSTMCell(units, dtype=dtype, zoneout=0.1) for _ in range(2)]
    return FSRNN(fast, ARUMCell(4, dtype=dtype, time_norm=1.0), dtype=dtype, **options)


LAYERS = {
    "rum": lambda **o: RUM(UNITS, layer_norm=True, time_norm=1.0, zoneout=0.1, **o),
    "arum": lambda **o: ARUM(UNITS, candidate_bias=True, **o),
    "lnlstm": lambda **o: LNLSTM(UNITS, **o),
    "eunn": lambda **o: EUNN(UNITS, complex_valued=True, **o),
    "goru": lambda **o: GORU(UNITS, kernel_initializer="orthogonal", **o),
    "deltaproduct": lambda **o: DeltaProduct(UNITS, gated=True, **o),
    "slstm": lambda **o: SLSTM(UNITS, **o),
    "lru": lambda **o: LRU(UNITS, **o),
    "fsrnn": lambda **o: fast_slow(UNITS, **o),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


@every_layer
def test_every_layer_is_built_in_half_precision_from_the_weights_of_float32(make):
    def weights(dtype):
        keras.utils.set_random_seed(7)
        layer = make(dtype=dtype)
        layer.build((None, 2, FEATURES))
        return layer.trainable_variables

    exact = weights("float32")
    for dtype in HALF:
        kept = "float32" if dtype.startswith("mixed") else dtype
        for one, other in zip(weights(dtype), exact, strict=True):
            assert keras.backend.standardize_dtype(one.dtype) == kept, dtype
            np.testing.assert_array_equal(
                to_numpy(ops.cast(one.value, "float32")),
                to_numpy(ops.cast(ops.cast(other.value, kept), "float32")),
                err_msg=dtype,
            )


@pytest.mark.e2e
@every_layer
def test_a_layer_of_bfloat16_trains(make):
    layer = make(dtype="bfloat16")
    model = keras.Sequential([keras.Input((2, FEATURES), dtype="bfloat16"), layer])
    model.compile("sgd", "mse", run_eagerly=BACKEND == "tensorflow")

    loss = model.train_on_batch(random_inputs(2), np.zeros((3, UNITS), "float32"))

    assert np.isfinite(float(loss))
    assert keras.backend.standardize_dtype(layer(random_inputs(2)).dtype) == "bfloat16"


def test_the_embedding_is_built_in_half_precision():
    layer = OneHotEmbedding(6, 4, dtype="bfloat16")
    vectors = to_numpy(ops.cast(layer(np.arange(6)), "float32"))
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(4), atol=0.02)  # rounded by 2⁻⁹


def nothing_found(layer, inputs, call=lambda function: function):
    """Return the outputs of a batch, and the gradients by inputs and weights of their sum."""
    fixed = [variable.value for variable in layer.non_trainable_variables]
    weights = [to_numpy(variable.value) for variable in layer.trainable_variables]

    def outputs(x, *values):
        return layer.stateless_call(values, fixed, x, training=True)[0]

    shapes = call(outputs)(*map(ops.convert_to_tensor, [inputs, *weights]))
    return shapes, gradients(lambda *given: ops.sum(outputs(*given)[0]), [inputs, *weights])


@every_layer
@pytest.mark.parametrize("call", [lambda function: function, compiled], ids=["eager", "compiled"])
def test_an_empty_batch_gives_empty_outputs_and_gradients_of_zero(make, call):
    layer = make(return_sequences=True, return_state=True)
    layer.build((None, 2, FEATURES))

    outputs, found = nothing_found(layer, np.zeros((0, 2, FEATURES), "float32"), call)

    sizes = layer.state_size
    expected = [(0, 2, UNITS), *((0, n) for n in (sizes if isinstance(sizes, list) else [sizes]))]
    assert [tuple(part.shape) for part in outputs] == expected
    assert all(np.all(gradient == 0) for gradient in found)


@needs_fused_loops
@pytest.mark.parametrize("name", ["rum", "arum", "lnlstm"])
def test_an_empty_batch_goes_through_the_fused_loop(name):
    layer = LAYERS[name](implementation="fused", return_sequences=True, return_state=True)
    layer.build((None, 2, FEATURES))

    outputs, found = nothing_found(layer, np.zeros((0, 2, FEATURES), "float32"))

    assert tuple(outputs[0].shape) == (0, 2, UNITS)
    assert all(np.all(gradient == 0) for gradient in found)


def test_an_empty_batch_of_vectors_is_rotated():
    nothing = np.zeros((0, 3), "float32")
    assert tuple(rotate(nothing, nothing, nothing).shape) == (0, 3)
    assert tuple(rotation_operator(nothing, nothing).shape) == (0, 3, 3)


def test_vectors_of_integers_are_rotated_as_floats():
    one, other = np.array([[1, 0]]), np.array([[0, 1]])
    for found in (rotate(one, other, one), rotation_operator(one, other)[:, :, 0]):
        np.testing.assert_allclose(to_numpy(found), [[0.0, 1.0]], atol=1e-6)


@every_layer
def test_integers_are_inputs_as_the_floats_that_they_are(make):
    layer = make()
    inputs = np.arange(18).reshape(3, 2, 3) % 2
    np.testing.assert_array_equal(
        to_numpy(layer(inputs)), to_numpy(layer(inputs.astype("float32")))
    )


@needs_fused_loops
def test_integers_are_inputs_of_the_fused_loop():
    layer = LAYERS["rum"](implementation="fused")
    inputs = np.arange(18).reshape(3, 2, 3) % 2
    np.testing.assert_array_equal(
        to_numpy(layer(inputs)), to_numpy(layer(inputs.astype("float32")))
    )


@every_layer
def test_a_sequence_without_steps_is_rejected(make):
    with pytest.raises(ValueError, match=r"at least one step, got shape \(3, 0, 3\)"):
        make()(np.zeros((3, 0, FEATURES), "float32"))


def tangent(layer, inputs):
    """Return the derivative of the outputs in the direction of ones."""
    import tensorflow as tf

    with tf.autodiff.ForwardAccumulator(inputs, tf.ones_like(inputs)) as accumulator:
        outputs = layer(inputs)
    return accumulator.jvp(outputs)


@needs_tensorflow
@pytest.mark.parametrize("layer_class", [RUM, pytest.param(LNLSTM, marks=pytest.mark.slow)])
def test_forward_mode_of_the_fused_loop_names_the_remedy(layer_class):
    inputs = ops.convert_to_tensor(random_inputs(2))
    with pytest.raises(NotImplementedError, match=r"ForwardAccumulator.*implementation='plain'"):
        tangent(layer_class(UNITS, implementation="fused"), inputs)


@needs_tensorflow
@pytest.mark.slow  # TensorFlow compiles the derivative of each operation
@pytest.mark.parametrize("layer_class", [RUM, LNLSTM])
def test_forward_mode_of_the_plain_loop_agrees_with_finite_differences(layer_class):
    layer = layer_class(UNITS, implementation="plain", dtype="float64")
    inputs = random_inputs(2, "float64")
    layer.build(inputs.shape)

    found = to_numpy(tangent(layer, ops.convert_to_tensor(inputs)))

    step = 1e-6
    above, below = to_numpy([layer(inputs + step), layer(inputs - step)])
    np.testing.assert_allclose(found, (above - below) / (2 * step), rtol=0, atol=1e-8)
