import itertools

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.cells.rum import RUM
from rumcli.models.bucketed_rnn import BucketedRNN, bucket_lengths

STEPS = 12


def padded(sizes, units=3):
    inputs = np.random.default_rng(1).normal(size=(len(sizes), STEPS, units)).astype("float32")
    there = np.arange(STEPS)[None] >= STEPS - np.array(sizes)[:, None]
    return inputs, there


@pytest.mark.parametrize("sequences", [False, True], ids=["last", "all"])
@pytest.mark.parametrize("sizes", [(2, 3, 1), (4, 6, 5), (12, 1, 3)], ids=str)
def test_skipped_padding_changes_no_result(sequences, sizes):
    inputs, there = padded(sizes)
    layer = RUM(5, return_sequences=sequences, zero_output_for_mask=True)
    trimmed = BucketedRNN(layer, [3, 6, STEPS])
    trimmed.build(inputs.shape, there.shape)

    expected = keras.ops.convert_to_numpy(layer(inputs, mask=there))
    found = keras.ops.convert_to_numpy(trimmed(inputs, there))

    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("lengths", [[STEPS], [3, 6, STEPS]], ids=str)
@pytest.mark.parametrize("sequences", [False, True], ids=["last", "all"])
def test_backward_layer_reads_each_sequence_from_its_end(sequences, lengths):
    inputs, there = padded((4, 6, 5))
    layer = RUM(5, return_sequences=sequences)
    trimmed = BucketedRNN(layer, lengths, backwards=True)
    trimmed.build(inputs.shape, there.shape)

    found = keras.ops.convert_to_numpy(trimmed(inputs, there))

    for sample, size in enumerate((4, 6, 5)):
        turned = inputs[sample : sample + 1, STEPS - size :][:, ::-1]
        expected = keras.ops.convert_to_numpy(layer(turned))[0]
        if sequences:
            np.testing.assert_allclose(found[sample, STEPS - size :], expected[::-1], atol=1e-6)
        else:
            np.testing.assert_allclose(found[sample], expected, atol=1e-6)


@pytest.mark.slow
def test_bucketed_layer_learns_as_the_plain_layer():
    inputs, there = padded((2, 5, 7, 3))
    targets = np.zeros((4, 5), "float32")
    weights = []
    for lengths in ([STEPS], [7, STEPS]):
        keras.utils.set_random_seed(1)
        value, mask = keras.Input((STEPS, 3)), keras.Input((STEPS,), dtype="bool")
        model = keras.Model([value, mask], BucketedRNN(RUM(5), lengths)(value, mask))
        model.compile("sgd", "mse")
        for chosen in ([0], [1], [2, 3]):
            model.train_on_batch([inputs[chosen], there[chosen]], targets[chosen])
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def cost(sizes, lengths):
    return sum(min(length for length in lengths if length >= size) for size in sizes)


def test_one_bucket_per_length_wastes_nothing():
    assert bucket_lengths([4, 1, 3, 2]) == [1, 2, 3, 4]
    assert bucket_lengths([5] * 90 + [50] * 10) == [5, 50]
    assert bucket_lengths([7]) == [7]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 4))
def test_bucket_lengths_waste_least(sizes, most):
    found = bucket_lengths(sizes, most)

    longest = max(sizes)
    others = [size for size in set(sizes) if size < longest]
    least = min(
        cost(sizes, [*some, longest])
        for count in range(min(most, len(set(sizes))))
        for some in itertools.combinations(others, count)
    )
    assert found == sorted(set(found))
    assert len(found) <= most
    assert cost(sizes, found) == least
