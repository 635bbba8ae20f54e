import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.data.splits import SPLITS
from rumcli.tasks.recall import data as recall_data

delays = st.integers(2, 100).map(lambda half: 2 * half)
seeds = st.integers(0, 2**32 - 1)
splits = st.sampled_from(SPLITS)


@given(seed=seeds, split=splits, delay=delays)
def test_the_answer_is_the_value_that_followed_the_query(seed, split, delay):
    batch = recall_data.examples(seed, split, start=0, count=4, delay=delay)
    assert batch.inputs.shape == (4, delay + 3)
    for sequence, answer in zip(batch.inputs, batch.answers, strict=True):
        keys, values = sequence[0:delay:2], sequence[1:delay:2]
        assert sorted(keys) == list(range(1, delay // 2 + 1))
        pairs = dict(zip(keys, values, strict=True))
        assert list(sequence[delay : delay + 2]) == [0, 0]
        assert pairs[sequence[-1]] == answer + delay // 2 + 1
        assert 0 <= answer <= 9
        assert sequence.max() < recall_data.input_classes(delay)


@given(seed=seeds, split=splits, delay=delays)
def test_every_example_belongs_to_its_own_split_only(seed, split, delay):
    batch = recall_data.examples(seed, split, start=0, count=20, delay=delay)
    assert recall_data.split_of(batch) == [split] * 20


@given(seed=seeds, start=st.integers(0, 10**9), delay=delays)
def test_examples_do_not_depend_on_the_batch_size(seed, start, delay):
    whole = recall_data.examples(seed, "train", start, 6, delay)
    half = recall_data.examples(seed, "train", start + 3, 3, delay)
    assert np.array_equal(whole.inputs[3:], half.inputs)
    assert np.array_equal(whole.answers[3:], half.answers)


@pytest.mark.parametrize("split", SPLITS)
def test_no_answer_is_more_frequent_than_chance(split):
    answers = recall_data.examples(1, split, 0, 40_000, delay=10).answers
    shares = np.bincount(answers, minlength=10) / 40_000
    # Standard deviation of a share: √(0.1 · 0.9/40,000) = 0.0015.
    assert np.abs(shares - 0.1).max() < 0.008


def test_every_key_is_queried_at_every_position():
    batch = recall_data.examples(1, "train", 0, 20_000, delay=8)
    places = (batch.inputs[:, 0:8:2] == batch.inputs[:, -1:]).argmax(axis=1)
    shares = np.bincount(places, minlength=4) / 20_000
    # Standard deviation of a share: √(1/4 · 3/4/20,000) = 0.003.
    assert np.abs(shares - 0.25).max() < 0.016
