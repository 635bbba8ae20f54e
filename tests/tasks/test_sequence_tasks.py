"""Examples of the copying, recall and adding tasks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.data import splits
from rumcli.tasks import registry
from rumcli.tasks.adding.data import RESOLUTION
from rumcli.tasks.recall.data import input_classes

SMALL = {
    "copying": {"delay": 1},
    "recall": {"delay": 8},
    "mqar": {"vocabulary": 16, "pairs": 3, "length": 17},
    "selective_copying": {"alphabet": 5, "symbols": 4, "length": 9},
    "adding": {"length": 7},
}
# For each task, the symbols whose checksum assigns an example to a split, and their number.
SYMBOLS = {
    "copying": lambda inputs, targets: (inputs[:, :10] - 1, 8),
    "recall": lambda inputs, targets: (inputs[:, 1:8:2] - 5, 10),
    "mqar": lambda inputs, targets: (inputs[:, 1:6:2] - 8, 8),
    "selective_copying": lambda inputs, targets: (targets[:, 9:], 5),
    "adding": lambda inputs, targets: ((inputs[..., 0] * RESOLUTION).astype(int), RESOLUTION),
}
seeds = st.integers(0, 2**32 - 1)


def generate(name, split="train", start=0, count=60, seed=3, **options):
    task = registry.configs()[name](**{**SMALL[name], **options})
    return registry.generate(task, seed, split, start, count)


@given(seed=seeds, split=st.sampled_from(splits.SPLITS), delay=st.integers(1, 300))
def test_copying_has_symbols_blanks_a_marker_and_blanks(seed, split, delay):
    inputs, targets = generate("copying", split, count=3, seed=seed, delay=delay)
    assert inputs.shape == targets.shape == (3, delay + 20)
    symbols = inputs[:, :10]
    assert symbols.min() >= 1
    assert symbols.max() <= 8
    assert (inputs[:, 10 : delay + 9] == 0).all()
    assert (inputs[:, delay + 9] == 9).all()
    assert (inputs[:, delay + 10 :] == 0).all()
    assert (targets[:, : delay + 10] == 0).all()
    assert np.array_equal(targets[:, delay + 10 :], symbols)


def test_copying_splits_of_different_seeds_do_not_overlap():
    examples = {
        split: {
            tuple(row)
            for seed in range(3)
            for row in generate("copying", split, count=4000, seed=seed)[0][:, :10]
        }
        for split in splits.SPLITS
    }
    assert not examples["train"] & examples["validation"]
    assert not examples["train"] & examples["test"]
    assert not examples["validation"] & examples["test"]


@pytest.mark.parametrize("split", splits.SPLITS)
def test_copying_symbols_are_equally_frequent_at_every_position(split):
    symbols = generate("copying", split, count=40_000)[0][:, :10]
    for position in range(10):
        frequencies = np.bincount(symbols[:, position], minlength=9)[1:] / 40_000
        # Standard deviation of a frequency: √(1/8 · 7/8/40,000) = 0.0017.
        assert np.abs(frequencies - 1 / 8).max() < 0.009


@given(
    seed=seeds,
    split=st.sampled_from(splits.SPLITS),
    delay=st.integers(2, 100).map(lambda half: 2 * half),
)
def test_recall_target_is_the_value_of_the_queried_key(seed, split, delay):
    inputs, targets = generate("recall", split, count=4, seed=seed, delay=delay)
    assert inputs.shape == (4, delay + 3)
    for sequence, target in zip(inputs, targets, strict=True):
        keys, values = sequence[0:delay:2], sequence[1:delay:2]
        assert sorted(keys) == list(range(1, delay // 2 + 1))
        pairs = dict(zip(keys, values, strict=True))
        assert list(sequence[delay : delay + 2]) == [0, 0]
        assert pairs[sequence[-1]] == target + delay // 2 + 1
        assert 0 <= target <= 9
        assert sequence.max() < input_classes(delay)


@pytest.mark.parametrize("split", splits.SPLITS)
def test_recall_targets_are_equally_frequent(split):
    _, targets = generate("recall", split, count=40_000, delay=10)
    frequencies = np.bincount(targets, minlength=10) / 40_000
    # Standard deviation of a frequency: √(0.1 · 0.9/40,000) = 0.0015.
    assert np.abs(frequencies - 0.1).max() < 0.008


def test_recall_queries_are_equally_frequent_at_every_position():
    inputs, _ = generate("recall", count=20_000)
    positions = (inputs[:, 0:8:2] == inputs[:, -1:]).argmax(axis=1)
    frequencies = np.bincount(positions, minlength=4) / 20_000
    # Standard deviation of a frequency: √(1/4 · 3/4/20,000) = 0.003.
    assert np.abs(frequencies - 0.25).max() < 0.016


def test_mqar_target_of_a_query_is_the_value_of_its_key():
    inputs, targets = generate("mqar", count=200)
    assert inputs.shape == (200, 17)
    for sequence, row in zip(inputs, targets, strict=True):
        keys, values = sequence[:6:2], sequence[1:6:2] - 8
        assert len(set(keys)) == 3
        assert keys.max() < 8
        assert values.min() >= 0
        queries = np.flatnonzero(row >= 0)
        assert queries.min() >= 6
        pairs = dict(zip(keys, values, strict=True))
        assert sorted(sequence[queries]) == sorted(keys)
        assert [pairs[sequence[position]] for position in queries] == list(row[queries])


def test_mqar_queries_are_more_frequent_near_the_pairs():
    _, targets = generate("mqar", count=2000, pairs=2, length=40)
    counts = np.bincount(np.nonzero(targets >= 0)[1], minlength=40)[4::2]
    assert counts[0] > 2 * counts[4] > 2 * counts[-1]


def test_selective_copying_targets_are_the_symbols_in_the_order_of_reading():
    inputs, targets = generate("selective_copying")
    assert (inputs[:, 9:] == 6).all()
    assert (targets[:, :9] == -1).all()
    for sequence, row in zip(inputs[:, :9], targets, strict=True):
        assert list(sequence[sequence > 0] - 1) == list(row[9:])


def test_adding_target_is_the_sum_of_the_marked_numbers_one_in_each_half():
    inputs, targets = generate("adding")
    numbers, markers = inputs[..., 0], inputs[..., 1]
    assert (markers[:, :3].sum(axis=1) == 1).all()
    assert (markers[:, 3:].sum(axis=1) == 1).all()
    assert np.array_equal((numbers * markers).sum(axis=1), targets[:, 0])
    assert numbers.min() >= 0
    assert numbers.max() < 1


def test_predicting_a_constant_sum_has_the_baseline_loss():
    _, targets = generate("adding", count=20_000)
    assert np.mean((targets - 1) ** 2) == pytest.approx(1 / 6, abs=0.005)


@pytest.mark.parametrize("name", SMALL)
@given(seed=seeds, start=st.integers(0, 10**9))
def test_examples_are_a_function_of_seed_split_and_index(name, seed, start):
    whole = generate(name, start=start, count=6, seed=seed)
    half = generate(name, start=start + 3, count=3, seed=seed)
    assert np.array_equal(whole[0][3:], half[0])
    assert np.array_equal(whole[1][3:], half[1])


@pytest.mark.parametrize("name", SMALL)
@given(seed=seeds, split=st.sampled_from(splits.SPLITS))
def test_every_example_belongs_to_its_own_split_only(name, seed, split):
    symbols, base = SYMBOLS[name](*generate(name, split, seed=seed))
    assert set(splits.split_of(symbols, base)) == {split}


def test_an_unknown_split_is_an_error():
    with pytest.raises(ValueError, match="unknown split 'dev'; splits: train, validation, test"):
        generate("copying", "dev")
