import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rumcli.data import counter_rng


@given(
    seed=st.integers(0, 2**64 - 1),
    start=st.integers(0, 2**40),
    skip=st.integers(0, 20),
    length=st.integers(1, 30),
)
def test_an_example_does_not_depend_on_the_batch_it_is_in(seed, start, skip, length):
    batch = counter_rng.words(seed, 1, start, 25, length)
    alone = counter_rng.words(seed, 1, start + skip, 1, length)
    assert np.array_equal(batch[skip], alone[0])


def test_words_are_those_of_philox_on_every_machine():
    # Computed once with NumPy's Philox; a change would break the resuming of everybody's runs.
    found = counter_rng.words(seed=1, stream=2, start=3, count=1, length=2)
    expected = np.random.Philox(key=[1, 2], counter=3).random_raw(2)
    assert np.array_equal(found[0], expected)


def test_seeds_and_streams_give_different_words():
    one = counter_rng.words(1, 0, 0, 1, 4)
    assert not np.array_equal(one, counter_rng.words(2, 0, 0, 1, 4))
    assert not np.array_equal(one, counter_rng.words(1, 1, 0, 1, 4))


def test_integers_below_a_bound_are_uniform():
    numbers = counter_rng.below(counter_rng.words(1, 0, 0, 20_000, 4), 10)
    shares = np.bincount(numbers.ravel(), minlength=10) / numbers.size
    # Standard deviation of a share: √(0.1 · 0.9/80,000) = 0.0011.
    assert np.abs(shares - 0.1).max() < 0.006
