""""""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.data import splits
from rumcli.data import splits as module
from rumcli.data.splits import PASSAGE, shared_passages


@given(
    seed=st.integers(0, 2**64 - 1),
    start=st.integers(0, 2**40),
    skip=st.integers(0, 20),
    length=st.integers(1, 30),
)
def test_an_example_does_not_depend_on_the_batch_it_is_in(seed, start, skip, length):
    batch = splits.random_words(seed, "validation", start, 25, length)
    alone = splits.random_words(seed, "validation", start + skip, 1, length)
    assert np.array_equal(batch[skip], alone[0])


def test_words_equal_philox_on_every_machine():
    # Computed once with NumPy's Philox; a change would break the resumption of all runs.
    found = splits.random_words(seed=1, split="test", start=3, count=1, length=2)
    expected = np.random.Philox(key=[1, 2], counter=3).random_raw(2)
    assert np.array_equal(found[0], expected)


def test_seeds_and_streams_give_different_words():
    one = splits.random_words(1, "train", 0, 1, 4)
    assert not np.array_equal(one, splits.random_words(2, "train", 0, 1, 4))
    assert not np.array_equal(one, splits.random_words(1, "validation", 0, 1, 4))


def test_integers_below_a_bound_are_uniform():
    numbers = splits.random_below(splits.random_words(1, "train", 0, 20_000, 4), 10)
    shares = np.bincount(numbers.ravel(), minlength=10) / numbers.size
    # Standard deviation of a share: √(0.1 · 0.9/80,000) = 0.0011.
    assert np.abs(shares - 0.1).max() < 0.006


def text(seed, passages):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 250, passages * PASSAGE).astype(np.uint8)


def test_copied_passages_are_counted_at_any_offset(monkeypatch):
    monkeypatch.setattr(module, "_OVERLAP_CHUNK", 2 * PASSAGE)  # so that copies cross its ends
    other, one = text(0, 20), text(1, 10)
    one[: 3 * PASSAGE] = other[101 : 101 + 3 * PASSAGE]
    one[5 * PASSAGE : 6 * PASSAGE] = other[-PASSAGE:]
    assert shared_passages(one, other) == pytest.approx(0.4)


def test_same_text_overlaps_wholly_and_another_one_not_at_all():
    assert shared_passages(text(0, 5), text(0, 5)) == 1.0
    assert shared_passages(text(0, 5), text(1, 5)) == 0.0
    zeros = np.zeros(PASSAGE, np.uint8)
    assert shared_passages(zeros, text(0, 5)) == 0.0


def test_passage_with_one_other_byte_does_not_count():
    one = text(0, 4)
    for place in range(0, len(one), PASSAGE):
        one[place + place // PASSAGE] ^= 1
    assert shared_passages(one, text(0, 4)) == 0.0


def test_text_shorter_than_a_passage_has_no_overlap():
    assert shared_passages(text(0, 1)[:-1], text(0, 1)) is None
    assert shared_passages(text(0, 1), text(0, 1)[:-1]) == 0.0
