import itertools

import numpy as np
import pytest

from rumcli.tasks.state_tracking import groups
from rumcli.tasks.state_tracking.config import order_of

NAMES = ["Z2", "Z5", "Z60", "S2", "S3", "S4", "S5", "A3", "A4", "A5"]


@pytest.mark.parametrize("name", NAMES)
def test_table_satisfies_the_group_axioms(name):
    table, numbers = groups.make(name).table, np.arange(order_of(name))
    assert table.shape == (len(numbers), len(numbers))
    assert np.array_equal(table[0], numbers)
    assert np.array_equal(table[:, 0], numbers)
    # Each row and column is a permutation, so every element has an inverse.
    assert np.array_equal(np.sort(table, axis=0), np.tile(numbers[:, None], len(numbers)))
    assert np.array_equal(np.sort(table, axis=1), np.tile(numbers, (len(numbers), 1)))
    a, b, c = np.random.default_rng(1).integers(len(numbers), size=(3, 1000))
    assert np.array_equal(table[table[a, b], c], table[a, table[b, c]])


@pytest.mark.parametrize(("name", "abelian"), [("Z60", True), ("A3", True), ("S3", False)])
def test_only_commutative_groups_have_a_symmetric_table(name, abelian):
    table = groups.make(name).table
    assert np.array_equal(table, table.T) is abelian


def test_product_applies_the_first_permutation_first():
    group = groups.make("S4")
    permutations = list(itertools.permutations(range(4)))
    for first, second in itertools.product(range(0, 24, 5), range(1, 24, 7)):
        composed = tuple(permutations[second][image] for image in permutations[first])
        assert permutations[group.table[first, second]] == composed


@pytest.mark.parametrize("name", [*NAMES, "S6"])
def test_two_generators_reach_every_element_in_equally_many_steps(name):
    group = groups.make(name)
    symbols = group.symbols(2)
    reached = np.array([0])
    for _ in range(2 * group.order):
        reached = np.unique(group.table[reached][:, symbols])
    assert len(reached) == group.order


def test_more_generators_are_distinct_elements():
    group = groups.make("A4")
    assert list(group.symbols(None)) == list(range(12))
    assert sorted(group.symbols(12)) == list(range(12))
    assert list(group.symbols(5)[:2]) == list(group.symbols(2))
