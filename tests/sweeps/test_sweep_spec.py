"""Points are a pure function of the varied parameters and a seed.

Errors in a sweep file are reported with their position before any run starts.
"""

import collections
import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rumcli.config import catalog
from rumcli.errors import ConfigError
from rumcli.sweeps import sweep_spec
from rumcli.sweeps import sweep_spec as plans
from rumcli.sweeps.sweep_spec import Range
from tests.sweeps.files import write_sweep

VALUES = st.lists(st.one_of(st.integers(), st.text(max_size=3), st.booleans()), min_size=1)
LISTS = VALUES.map(lambda values: list({(type(v), v): v for v in values}.values())[:4])

RATE = {"optimizer.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}}


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
    found = list(sweep_spec.grid(parameters))
    assert len(found) == sweep_spec.num_points(parameters)
    assert len({sweep_spec.identity(point) for point in found}) == len(found)
    assert all(sweep_spec.is_point(parameters, point) for point in found)


@given(PARAMETERS, st.integers(0, 2**32 - 1))
def test_random_points_are_in_range_different_and_the_same_again(parameters, seed):
    found = list(itertools.islice(sweep_spec.random_points(parameters, seed), 20))
    again = list(itertools.islice(sweep_spec.random_points(parameters, seed), 20))
    assert found == again
    assert found
    assert all(sweep_spec.is_point(parameters, point) for point in found)
    assert len({sweep_spec.identity(point) for point in found}) == len(found)


def test_random_points_are_the_same_on_every_machine():
    parameters = {
        "a": Range(low=1e-4, high=1e-1, log=True),
        "b": Range(low=1, high=9, integer=True),
    }
    found = list(itertools.islice(sweep_spec.random_points(parameters, 1), 2))
    assert found == [{"a": 0.00227989, "b": 6}, {"a": 0.0856478, "b": 8}]


def test_other_seeds_give_other_points():
    parameters = {"a": Range(low=0.0, high=1.0)}
    first = [next(sweep_spec.random_points(parameters, seed)) for seed in range(5)]
    assert len({point["a"] for point in first}) == 5


@given(st.dictionaries(st.sampled_from("abc"), LISTS, min_size=1))
def test_random_points_of_lists_come_to_an_end_with_all_of_the_grid(parameters):
    found = {sweep_spec.identity(point) for point in sweep_spec.random_points(parameters, 3)}
    assert found == {sweep_spec.identity(point) for point in sweep_spec.grid(parameters)}


def test_log_draws_each_decade_as_often():
    parameters = {"a": Range(low=1e-4, high=1e-0, log=True)}
    drawn = [p["a"] for p in itertools.islice(sweep_spec.random_points(parameters, 1), 2000)]
    # 1,000 of 2,000 are expected below the middle; five standard deviations are 112.
    assert abs(sum(value < 1e-2 for value in drawn) - 1000) < 112


def test_every_whole_number_is_as_likely_the_first_and_last_too():
    one = Range(low=1, high=4, integer=True)
    found = [one.at(share / 4000) for share in range(4000)]
    assert [found.count(value) for value in (1, 2, 3, 4)] == pytest.approx([1000] * 4, abs=2)
    assert all(type(value) is int for value in found)


def test_the_corners_have_all_lists_and_both_ends():
    parameters = {"a": ["x", "y"], "b": Range(low=1.0, high=2.0)}
    found = {(point["a"], point["b"]) for point in sweep_spec.corners(parameters)}
    assert found == {("x", 1.0), ("x", 2.0), ("y", 1.0), ("y", 2.0)}


def test_values_one_at_a_time_are_no_product():
    parameters = {name: list(range(10)) for name in "abcdefgh"} | {"i": Range(low=1.0, high=2.0)}
    first = dict.fromkeys("abcdefgh", 0) | {"i": 1.0}
    found = list(sweep_spec.one_at_a_time(parameters, ["b", "i", "z"]))
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
    assert not sweep_spec.is_point({"a": Range(low=1, high=2, integer=True)}, point)


def test_integer_range_is_listed_unless_it_is_too_large():
    few = {"a": [1], "n": Range(low=3, high=6, integer=True)}
    assert [point["n"] for point in sweep_spec.one_at_a_time(few, few)] == [3, 4, 5, 6]
    many = {"n": Range(low=1, high=10**9, integer=True), "x": Range(low=0.5, high=2.0)}
    found = list(sweep_spec.one_at_a_time(many, many))
    assert [point["n"] for point in found] == [*range(1, 201), 10**9, 1]
    assert [point["x"] for point in found] == [0.5] * 201 + [2.0]


_PAGE = Path(__file__).parents[2] / "docs" / "sweeps.md"

MANUAL = _PAGE.read_text(encoding="utf-8").partition("\n## The paper's tables\n")[0]


def test_the_runs_of_a_grid_are_the_base_with_the_points_and_seeds(tmp_path):
    plan = plans.read(
        write_sweep(tmp_path, parameters={"cell.name": ["gru", "lstm"], "cell.units": [5]})
    )
    points = plan.listed()
    assert points == [
        {"cell.name": "gru", "cell.units": 5},
        {"cell.name": "lstm", "cell.units": 5},
    ]
    run = plan.run(points[1], 7)
    assert (run.cell.name, run.cell.units, run.seed, run.task.delay) == ("lstm", 5, 7, 4)
    assert plan.base.cell.units == 8


def test_written_plan_is_read_back_unchanged(tmp_path):
    plan = plans.read(write_sweep(tmp_path, search="random", parameters=RATE, max_runs=8))
    stored = tmp_path / "stored.yaml"
    stored.write_text(plans.to_yaml(plan.spec))
    again = plans.read(stored, base=plan.base)
    assert again.spec == plan.spec
    assert again.listed() == plan.listed()
    assert len(plan.listed()) == 4


def test_preset_name_that_looks_like_a_number_is_read_back_unchanged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("1e3").write_text("task: {name: copying}\n")
    plan = plans.read(write_sweep(tmp_path, preset="1e3", task=None))
    Path("stored.yaml").write_text(plans.to_yaml(plan.spec))
    assert plans.read(Path("stored.yaml"), base=plan.base).spec == plan.spec


@pytest.mark.parametrize("name", catalog.shipped("sweep"))
def test_shipped_sweep_tries_the_same_rates_for_every_cell(name):
    plan = plans.read(catalog.locate_shipped("sweep", name))
    rates = collections.defaultdict(list)
    for point in plan.listed():
        run = plan.run(point, 1)
        rates[run.cell.name].append(run.optimizer.learning_rate)
        assert run.cell.units == plan.base.cell.units
    assert set(rates) == {"rum", "arum", "eunn", "goru", "lstm", "gru"}
    assert list(rates.values()) == [[0.01, 0.001, 0.0001]] * 6


def test_a_name_is_that_of_a_shipped_sweep_unless_only_a_file_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine").write_text("{}")
    Path("copying").write_text("{}")
    assert catalog.locate_shipped("sweep", "Copying").parent.name == "sweeps"
    assert catalog.locate_shipped("sweep", "mine") == Path("mine")
    with pytest.raises(ConfigError, match=r"unknown sweep 'coping'.*copying.*or a YAML file"):
        catalog.locate_shipped("sweep", "coping")


def test_a_whole_section_can_be_varied(tmp_path):
    cells = [{"name": "rum", "time_norm": 1.0}, {"name": "gru", "units": 9}]
    plan = plans.read(write_sweep(tmp_path, parameters={"cell": cells}))
    first, second = (plan.run(point, 1).cell for point in plan.listed())
    assert (first.name, first.time_norm, first.units) == ("rum", 1.0, 8)
    assert (second.name, second.units) == ("gru", 9)


def test_a_limit_of_runs_counts_the_seeds(tmp_path):
    path = write_sweep(tmp_path, search="random", parameters=RATE, max_runs=7, seeds=[1, 2, 3])
    assert plans.read(path).max_points == 2
    assert plans.read(path, max_runs=12).max_points == 4


def test_a_path_of_a_text_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_sweep(
        tmp_path, task="ptb", set={"task.data": "here"}, parameters={"cell.units": [5, 6]}
    )
    assert plans.read(path).base.task.data == str(tmp_path / "here")


def test_examples_are_valid(tmp_path):
    root = Path(__file__).parent.parent.parent
    assert len(plans.read(root / "examples" / "sweep.yaml").listed()) == 8
    (example,) = re.findall(r"```yaml\n(.*?)```", MANUAL, flags=re.DOTALL)
    (tmp_path / "manual.yaml").write_text(example)
    assert len(plans.read(tmp_path / "manual.yaml").listed()) == 8


def test_every_key_is_in_the_manual():
    assert [key for key in plans.SweepSpec.model_fields if f"| `{key}` |" not in MANUAL] == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"seeds": None}, "'seeds' is missing"),
        ({"seeds": None, "sedes": [1]}, "unknown key 'sedes'; did you mean 'seeds'"),
        ({"seeds": []}, "seeds: expected 1 or more items, got []"),
        ({"seeds": [1, 1]}, "a seed is listed twice"),
        ({"gpus_per_run": 1.5}, "gpus_per_run: expected a whole number above 1, got 1.5"),
        ({"gpus_per_run": -1}, "gpus_per_run: expected at least 0, got -1"),
        ({"seeds": [-1]}, "expected at least 0, got -1"),
        ({"search": "bayes"}, "search: expected 'grid', 'random' or 'bayesian', got 'bayes'"),
        ({"task": None}, "expected 'preset' or 'task'"),
        ({"task": "coping"}, "unknown task 'coping'; did you mean 'copying'"),
        ({"preset": "copying_shrt"}, "did you mean 'copying_short'"),
        ({"set": {"train.stesp": 3}}, "train.stesp: unknown key 'stesp'; did you mean 'steps'"),
        ({"set": {"train.steps": 0}}, "train.steps: expected at least 1, got 0"),
        ({"parameters": {}}, "parameters: expected at least one"),
        ({"parameters": {"cell.unit": [1]}}, "cell.unit: "),
        ({"parameters": {"cell.units": [8, 0]}}, "cell.units: expected at least 1, got 0"),
        ({"parameters": {"cell.units": 8}}, "expected a list of values, or a range"),
        ({"parameters": {"cell.units": []}}, "expected a list of values, or a range"),
        ({"parameters": {"cell.units": [8, 8]}}, "a value is listed twice"),
        (
            {"parameters": {"cell.units": [8], "cell": [{"name": "rum"}]}},
            "cell.units: it is part of 'cell', which is also set",
        ),
        ({"parameters": {"seed": [1, 2]}}, "expected the seeds under 'seeds'"),
        ({"parameters": {"task.name": ["recall"]}}, "the task is the same for all"),
        (
            {"parameters": RATE},
            "a grid search requires lists of values; for a range, set 'search: random'",
        ),
        ({"search": "random", "parameters": RATE}, "needs a limit: 'max_runs'"),
        ({"max_runs": 1}, "max_runs: 1 runs are too few for one point with 2 seeds"),
        ({"early_stopping": {"grace_period": 20}}, "expected less than train.steps, 20, got 20"),
        ({"early_stopping": {"grace_perod": 2}}, "did you mean 'grace_period'"),
        (
            {"early_stopping": {"grace_period": 5}, "parameters": {"train.steps": [20, 30]}},
            "incompatible with a varied train.steps",
        ),
        (
            {"parameters": {"cell.name": ["gru", "rum"], "cell.time_norm": [1.0]}},
            "cell 'gru' has no option 'time_norm'",
        ),
        (
            {"parameters": {"cell.units": list(range(1, 101)), "seeds": [1], "train.steps": [1]}},
            "unknown key 'seeds'",
        ),
        (
            {
                "parameters": {
                    "cell.units": list(range(1, 102)),
                    "train.batch_size": list(range(1, 102)),
                }
            },
            "exceed 10,000 runs",
        ),
    ],
)
def test_errors_are_reported(tmp_path, changes, expected):
    with pytest.raises(ConfigError) as error:
        plans.read(write_sweep(tmp_path, **changes))
    assert expected in str(error.value)
    assert "sweep.yaml" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"low": 1e-4}, "'high' is missing"),
        ({"low": 1, "hihg": 2}, "unknown key 'hihg'; did you mean 'high'"),
        ({"low": 2, "high": 1}, "expected low less than high, got"),
        ({"low": "a", "high": 1}, "low: expected a number"),
        ({"low": 0, "high": 1}, "expected a number greater than 0, got 0"),
    ],
)
def test_wrong_range_is_rejected(tmp_path, given, expected):
    path = write_sweep(
        tmp_path, search="random", max_runs=4, parameters={"optimizer.learning_rate": given}
    )
    with pytest.raises(ConfigError) as error:
        plans.read(path)
    assert expected in str(error.value)


def test_error_in_a_value_names_its_line(tmp_path):
    with pytest.raises(ConfigError, match=r"sweep\.yaml, line \d+, column 3: cell\.units: exp"):
        plans.read(write_sweep(tmp_path, parameters={"cell.units": [8, -8]}))


RATES = [0.1 / number for number in range(1, 11)]

DELAYS = {"low": 20, "high": 50, "integer": True}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {
                "parameters": {
                    "cell.name": ["rum", "lstm", "gur"],
                    "cell.units": list(range(1, 11)),
                    "optimizer.learning_rate": RATES,
                }
            },
            "unknown cell 'gur'",
        ),
        (
            {"task": "recall", "parameters": {"task.delay": DELAYS}},
            "task.delay: expected an even integer, got 21",
        ),
        (
            {"task": "recall", "parameters": {"task.delay": {**DELAYS, "high": 10_000}}},
            "task.delay: expected an even integer, got 21",
        ),
        (
            {
                "parameters": {
                    "cell.units": list(range(1, 21)),
                    "train.batch_size": list(range(1, 21)),
                    "model.dropout": {"low": 0.1, "high": 1.5},
                }
            },
            "model.dropout: expected",
        ),
    ],
)
def test_a_wrong_value_is_found_among_very_many_combinations(tmp_path, changes, expected):
    path = write_sweep(tmp_path, search="bayesian", max_runs=20, set={}, **changes)
    with pytest.raises(ConfigError) as error:
        plans.read(path)
    assert expected in str(error.value)


def test_sweep_begun_with_an_invalid_value_can_still_be_read(tmp_path):
    changes = {"search": "bayesian", "max_runs": 20, "set": {}, "task": "recall"}
    right = plans.read(write_sweep(tmp_path, **changes, parameters={"task.delay": [20, 50]}))
    stored = write_sweep(tmp_path, **changes, parameters={"task.delay": DELAYS})
    assert plans.read(stored, base=right.base).max_points == 10


def test_the_difference_of_two_specifications_is_named(tmp_path):
    one = plans.read(write_sweep(tmp_path)).spec
    other = plans.read(
        write_sweep(
            tmp_path,
            seeds=[1, 3],
            max_runs=4,
            retries=1,
            parameters={"optimizer.learning_rate": [0.1], "cell.units": [8]},
        )
    ).spec
    assert plans.differences(one, other) == [
        "parameters: optimizer.learning_rate",
        "parameters: cell.units",
        "seeds",
    ]
    assert plans.differences(one, one) == []
