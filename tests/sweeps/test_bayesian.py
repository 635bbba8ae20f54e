"""Bayesian search approaches the lowest score better than chance and uses earlier points."""

import pytest

from rumcli.sweeps import sweep_spec
from rumcli.sweeps import sweep_spec as plans
from tests.sweeps.files import write_sweep

pytest.importorskip("optuna", reason="needs optuna: pip install 'rumcli[sweep]'")

PARAMETERS = {
    "optimizer.learning_rate": {"low": 1e-5, "high": 1e-0, "log": True},
    "cell.units": {"low": 1, "high": 100, "integer": True},
}


def make_search(tmp_path, **changes):
    from rumcli.sweeps.bayesian import Bayesian

    changes = {"search": "bayesian", "max_runs": 200, "parameters": PARAMETERS, **changes}
    plan = plans.read(write_sweep(tmp_path, **changes))
    return plan, Bayesian(plan)


def badness(point):
    return abs(point["cell.units"] - 70) / 100 + abs(point["optimizer.learning_rate"] - 0.01)


def test_points_are_in_range_and_get_better(tmp_path):
    plan, search = make_search(tmp_path)
    scores = []
    for number in range(1, 61):
        point = search.next(number)
        assert sweep_spec.is_point(plan.parameters, point)
        scores.append(badness(point))
        search.ended(number, scores[-1])
    early, late = sorted(scores[:20])[10], sorted(scores[40:])[10]
    assert late < early / 2


def test_search_learns_from_earlier_points(tmp_path):
    _, search = make_search(tmp_path)
    units = [1, 20, 40, 60, 65, 70, 72, 75, 80, 100] * 4
    for number, size in enumerate(units, 1):
        point = {"optimizer.learning_rate": 1e-3 + number * 1e-5, "cell.units": size}
        search.known(number, point)
        search.ended(number, badness(point))
    proposed = [search.next(number)["cell.units"] for number in range(41, 51)]
    assert sum(50 <= size <= 90 for size in proposed) >= 7


def test_search_over_lists_repeats_no_point_and_ends(tmp_path):
    lists = {"cell.name": ["gru", "lstm", "rnn"], "cell.units": [4, 8]}
    _, search = make_search(tmp_path, parameters=lists)
    found = []
    while (point := search.next(len(found) + 1)) is not None:
        found.append(sweep_spec.identity(point))
        search.ended(len(found), float(len(found)))
    assert len(set(found)) == len(found)
    assert len(found) >= 5  # of six; it may give up looking for the last


def test_search_continues_after_a_point_without_a_metric(tmp_path):
    _, search = make_search(tmp_path)
    search.next(1)
    search.ended(1, None)
    assert search.next(2) is not None
