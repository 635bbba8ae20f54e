"""Points are a pure function of the varied parameters and a seed."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rumcli.sweeps import points
from rumcli.sweeps.points import Range

VALUES = st.lists(st.one_of(st.integers(), st.text(max_size=3), st.booleans()), min_size=1)
LISTS = VALUES.map(lambda values: list({(type(v), v): v for v in values}.values())[:4])


@st.composite
def ranges(draw):
    integer, log = draw(st.booleans()), draw(st.booleans())
    numbers = st.integers(1, 10**6) if integer else st.floats(1e-9, 1e9)
    low, high = sorted(draw(st.lists(numbers, min_size=2, max_size=2, unique=True)))
    return Range(low=low, high=high, log=log, integer=integer)


PARAMETERS = st.dictionaries(
    st.sampled_from(["cell.units", "cell.name", "optimizer.learning_rate", "model.layers"]),
    st.one_of(LISTS, ranges()),
    min_size=1,
)


@given(st.dictionaries(st.text(max_size=3), LISTS, min_size=1, max_size=4))
def test_a_grid_has_every_combination_once(parameters):
    found = list(points.grid(parameters))
    assert len(found) == points.size(parameters)
    assert len({points.identity(point) for point in found}) == len(found)
    assert all(points.is_one(parameters, point) for point in found)


@given(PARAMETERS, st.integers(0, 2**32 - 1))
def test_random_points_are_in_range_different_and_the_same_again(parameters, seed):
    found = list(itertools.islice(points.random_points(parameters, seed), 20))
    again = list(itertools.islice(points.random_points(parameters, seed), 20))
    assert found == again
    assert found
    assert all(points.is_one(parameters, point) for point in found)
    assert len({points.identity(point) for point in found}) == len(found)


def test_random_points_are_the_same_on_every_machine():
    parameters = {
        "a": Range(low=1e-4, high=1e-1, log=True),
        "b": Range(low=1, high=9, integer=True),
    }
    found = list(itertools.islice(points.random_points(parameters, 1), 2))
    assert found == [{"a": 0.00227989, "b": 6}, {"a": 0.0856478, "b": 8}]


def test_other_seeds_give_other_points():
    parameters = {"a": Range(low=0.0, high=1.0)}
    first = [next(points.random_points(parameters, seed)) for seed in range(5)]
    assert len({point["a"] for point in first}) == 5


@given(st.dictionaries(st.sampled_from("abc"), LISTS, min_size=1))
def test_random_points_of_lists_come_to_an_end_with_all_of_the_grid(parameters):
    found = {points.identity(point) for point in points.random_points(parameters, 3)}
    assert found == {points.identity(point) for point in points.grid(parameters)}


def test_log_draws_each_decade_as_often():
    parameters = {"a": Range(low=1e-4, high=1e-0, log=True)}
    drawn = [p["a"] for p in itertools.islice(points.random_points(parameters, 1), 2000)]
    # 1,000 of 2,000 are expected below the middle; five standard deviations are 112.
    assert abs(sum(value < 1e-2 for value in drawn) - 1000) < 112


def test_every_whole_number_is_as_likely_the_first_and_last_too():
    one = Range(low=1, high=4, integer=True)
    found = [one.at(share / 4000) for share in range(4000)]
    assert [found.count(value) for value in (1, 2, 3, 4)] == pytest.approx([1000] * 4, abs=2)
    assert all(type(value) is int for value in found)


def test_the_corners_have_all_lists_and_both_ends():
    parameters = {"a": ["x", "y"], "b": Range(low=1.0, high=2.0)}
    found = {(point["a"], point["b"]) for point in points.corners(parameters)}
    assert found == {("x", 1.0), ("x", 2.0), ("y", 1.0), ("y", 2.0)}


def test_values_one_at_a_time_are_no_product():
    parameters = {name: list(range(10)) for name in "abcdefgh"} | {"i": Range(low=1.0, high=2.0)}
    first = dict.fromkeys("abcdefgh", 0) | {"i": 1.0}
    found = list(points.one_at_a_time(parameters, ["b", "i", "z"]))
    others = [{**first, "b": value} for value in range(1, 10)]
    assert found == [first, *others, {**first, "i": 2.0}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": 2, "high": 1},
        {"low": 1, "high": 1},
        {"low": 0, "high": 1, "log": True},
        {"low": 0.5, "high": 2, "integer": True},
        {"low": float("nan"), "high": 1},
        {"low": 0, "high": float("inf")},
    ],
)
def test_invalid_range_is_rejected(wrong):
    with pytest.raises(ValidationError):
        Range(**wrong)


@pytest.mark.parametrize(
    "point", [{}, {"a": 3}, {"a": 0.5, "b": 1}, {"a": True}, {"a": "1"}, {"a": 1.5}]
)
def test_invalid_points_are_detected(point):
    assert not points.is_one({"a": Range(low=1, high=2, integer=True)}, point)


def test_integer_range_is_listed_unless_it_is_too_large():
    few = {"a": [1], "n": Range(low=3, high=6, integer=True)}
    assert [point["n"] for point in points.one_at_a_time(few, few)] == [3, 4, 5, 6]
    many = {"n": Range(low=1, high=10**9, integer=True), "x": Range(low=0.5, high=2.0)}
    found = list(points.one_at_a_time(many, many))
    assert [point["n"] for point in found] == [*range(1, 201), 10**9, 1]
    assert [point["x"] for point in found] == [0.5] * 201 + [2.0]
