"""Sampling of symbols from logits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.analysis import text_generation

LOGITS = np.array([1.0, 3.0, -2.0, 3.0], dtype="float32")


def softmax_shares(temperature):
    powers = np.exp(LOGITS.astype("float64") / temperature)
    return powers / powers.sum()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_class_frequencies_match_the_softmax_at_the_temperature(temperature):
    generator, count = np.random.default_rng(1), 20_000
    drawn = [text_generation.sample(LOGITS, temperature, generator) for _ in range(count)]
    found = np.bincount(drawn, minlength=4) / count
    # Four standard deviations of the most frequent class.
    np.testing.assert_allclose(found, softmax_shares(temperature), atol=4 * np.sqrt(0.25 / count))


def test_zero_temperature_selects_the_first_of_the_likeliest():
    assert text_generation.sample(LOGITS, 0.0, np.random.default_rng(1)) == 1


def test_one_random_number_is_used_for_each_draw():
    used, other = np.random.default_rng(1), np.random.default_rng(1)
    for _ in range(5):
        text_generation.sample(LOGITS, 1.0, used)
        other.random()
    assert used.random() == other.random()


@given(
    logits=st.lists(st.floats(-(2.0**100), 2.0**100), min_size=1, max_size=60),
    temperature=st.floats(0, 1e300),
    seed=st.integers(0, 100),
)
def test_any_logits_give_a_class_of_positive_probability(logits, temperature, seed):
    logits = np.array(logits, dtype="float32")
    drawn = text_generation.sample(logits, temperature, np.random.default_rng(seed))
    assert 0 <= drawn < len(logits)
    if temperature <= 1e-3 and np.ptp(logits) > 1:
        assert logits[drawn] > logits.min()


def test_the_surprisal_is_the_negative_logarithm_of_the_probability():
    found = [text_generation.surprisal(LOGITS, number) for number in range(4)]
    np.testing.assert_allclose(found, -np.log2(softmax_shares(1.0)), rtol=1e-6)
