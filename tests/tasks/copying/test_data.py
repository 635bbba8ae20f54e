import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.data.splits import SPLITS
from rumcli.tasks.copying import data as copying_data

delays = st.integers(1, 300)
seeds = st.integers(0, 2**32 - 1)
splits = st.sampled_from(SPLITS)


@given(seed=seeds, split=splits, delay=delays)
def test_an_example_has_symbols_blanks_a_marker_and_blanks(seed, split, delay):
    batch = copying_data.examples(seed, split, start=0, count=3, delay=delay)
    assert batch.inputs.shape == batch.targets.shape == (3, delay + 20)
    symbols = batch.inputs[:, :10]
    assert symbols.min() >= 1
    assert symbols.max() <= 8
    assert (batch.inputs[:, 10 : delay + 9] == 0).all()
    assert (batch.inputs[:, delay + 9] == 9).all()
    assert (batch.inputs[:, delay + 10 :] == 0).all()
    assert (batch.targets[:, : delay + 10] == 0).all()
    assert np.array_equal(batch.targets[:, delay + 10 :], symbols)


@given(seed=seeds, split=splits)
def test_every_example_belongs_to_its_own_split_only(seed, split):
    batch = copying_data.examples(seed, split, start=0, count=50, delay=1)
    assert copying_data.split_of(batch) == [split] * 50


def test_splits_of_different_seeds_do_not_overlap_either():
    seen = {
        split: {
            tuple(row)
            for seed in range(3)
            for row in copying_data.examples(seed, split, 0, 4000, delay=1).inputs[:, :10]
        }
        for split in SPLITS
    }
    assert not seen["train"] & seen["validation"]
    assert not seen["train"] & seen["test"]
    assert not seen["validation"] & seen["test"]


@given(seed=seeds, start=st.integers(0, 10**9), delay=delays)
def test_examples_do_not_depend_on_the_batch_size(seed, start, delay):
    whole = copying_data.examples(seed, "train", start, 6, delay)
    half = copying_data.examples(seed, "train", start + 3, 3, delay)
    assert np.array_equal(whole.inputs[3:], half.inputs)


@pytest.mark.parametrize("split", SPLITS)
def test_every_symbol_is_as_frequent_as_the_others_at_every_place(split):
    symbols = copying_data.examples(1, split, 0, 40_000, delay=1).inputs[:, :10]
    for place in range(10):
        shares = np.bincount(symbols[:, place], minlength=9)[1:] / 40_000
        # Standard deviation of a share: √(1/8 · 7/8/40,000) = 0.0017.
        assert np.abs(shares - 1 / 8).max() < 0.009


def test_an_unknown_split_is_an_error():
    with pytest.raises(ValueError, match="unknown split 'dev'; splits: train, validation, test"):
        copying_data.examples(1, "dev", 0, 1, 5)
