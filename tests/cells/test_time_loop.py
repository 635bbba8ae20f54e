"""The time loop of the plain cells: which sizes it knows, and which operations its graph has."""

import numpy as np
import pytest

from rumcli.cells import time_loop
from rumcli.cells.eunn import EUNN

from .gradients import BACKEND, needs_tensorflow

if BACKEND == "tensorflow":
    import tensorflow as tf

pytestmark = needs_tensorflow

HIDES = "PlaceholderWithDefault"


def run(layer, inputs, training, seen):
    """Sum up the inputs `[B, T, 2]`, and note the size of the batch that each step sees."""

    def step(parts, states):
        seen.append(parts[0].shape[0])
        return states[0] + parts[0], [states[0] + parts[0]]

    start = [tf.zeros_like(inputs[:, 0])]
    return time_loop.run(layer, step, (inputs,), start, None, training)[0]


@pytest.mark.parametrize("batch", [3, None])
@pytest.mark.parametrize("training", [True, False])
def test_a_graph_does_not_know_the_size_of_the_batch(batch, training):
    layer, seen = EUNN(2), []
    function = tf.function(lambda inputs: run(layer, inputs, training, seen))
    traced = function.get_concrete_function(tf.TensorSpec((batch, 4, 2)))

    inputs = np.random.default_rng(0).standard_normal((3, 4, 2)).astype("float32")
    np.testing.assert_allclose(traced(tf.constant(inputs)), inputs.sum(axis=1), rtol=1e-5)
    assert set(seen) == {None}
    # Converters do not know the operation, and nothing is hidden where nothing is known.
    kinds = {operation.type for operation in traced.graph.get_operations()}
    assert (HIDES in kinds) == (training or batch is not None)


def test_outside_of_a_graph_the_size_of_the_batch_is_left_as_it_is():
    seen = []
    run(EUNN(2), tf.zeros((3, 4, 2)), True, seen)
    assert set(seen) == {3}
