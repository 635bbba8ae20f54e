"""Examples of multi-query recall, selective copying and adding."""

import numpy as np
import pytest

from rumcli.data import splits
from rumcli.tasks import registry
from rumcli.tasks.adding import data as adding_data

SMALL = {
    "mqar": {"vocabulary": 16, "pairs": 3, "length": 17},
    "selective_copying": {"alphabet": 5, "symbols": 4, "length": 9},
    "adding": {"length": 7},
}


def generate(name, split="train", start=0, count=60, **options):
    task = registry.configs()[name](**{**SMALL[name], **options})
    return registry.examples_of(name)(task, 3, split, start, count)


def test_a_query_has_the_value_of_its_key_as_target():
    arrays = generate("mqar", count=200)
    assert arrays["inputs"].shape == (200, 17)
    for row, targets in zip(arrays["inputs"], arrays["targets"], strict=True):
        keys, values = row[:6:2], row[1:6:2] - 8
        assert len(set(keys)) == 3
        assert keys.max() < 8
        assert values.min() >= 0
        asked = np.flatnonzero(targets >= 0)
        assert asked.min() >= 6
        expected = dict(zip(keys, values, strict=True))
        assert sorted(row[asked]) == sorted(keys)
        assert [expected[row[place]] for place in asked] == list(targets[asked])


def test_queries_are_more_often_near_the_pairs():
    targets = generate("mqar", count=2000, pairs=2, length=40)["targets"]
    places = np.bincount(np.nonzero(targets >= 0)[1], minlength=40)[4::2]
    assert places[0] > 2 * places[4] > 2 * places[-1]


def test_copied_symbols_are_in_the_order_of_reading():
    arrays = generate("selective_copying")
    inputs, targets = arrays["inputs"], arrays["targets"]
    assert (inputs[:, 9:] == 6).all()
    assert (targets[:, :9] == -1).all()
    for row, answers in zip(inputs, targets, strict=True):
        read = row[:9]
        assert list(read[read > 0] - 1) == list(answers[9:])


def test_sum_is_of_the_two_marked_numbers_one_in_each_half():
    arrays = generate("adding")
    numbers, markers = arrays["inputs"][..., 0], arrays["inputs"][..., 1]
    assert (markers[:, :3].sum(axis=1) == 1).all()
    assert (markers[:, 3:].sum(axis=1) == 1).all()
    assert np.array_equal((numbers * markers).sum(axis=1), arrays["targets"][:, 0])
    assert numbers.min() >= 0
    assert numbers.max() < 1


def test_a_constant_guess_has_the_baseline_loss():
    targets = generate("adding", count=20_000)["targets"]
    assert np.mean((targets - 1) ** 2) == pytest.approx(1 / 6, abs=0.005)


@pytest.mark.parametrize("name", SMALL)
def test_examples_are_a_function_of_seed_split_and_index(name):
    whole, part = generate(name), generate(name, start=20, count=7)
    for key, array in whole.items():
        assert np.array_equal(array[20:27], part[key])


@pytest.mark.parametrize(("name", "base"), [("mqar", 8), ("selective_copying", 5), ("adding", 0)])
@pytest.mark.parametrize("split", splits.SPLITS)
def test_every_example_belongs_to_its_split(name, base, split):
    arrays = generate(name, split)
    symbols = {
        "mqar": lambda: arrays["inputs"][:, 1:6:2] - 8,
        "selective_copying": lambda: arrays["targets"][:, 9:],
        "adding": lambda: (arrays["inputs"][..., 0] * adding_data.RESOLUTION).astype(int),
    }[name]()
    assert set(splits.split_of(symbols, base or adding_data.RESOLUTION)) == {split}
