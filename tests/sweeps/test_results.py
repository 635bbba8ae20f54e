"""Results of a sweep are read from its directories, without Ray and Keras."""

import statistics

import pytest

from rumcli.jobs.events import FAILED, FINISHED, STOPPED_EARLY, UNFINISHED, WAITING, RunResult
from rumcli.jobs.results import statistics_of
from rumcli.json_schemas.job_sets import SeedStatistics
from rumcli.sweeps import plan as plans
from rumcli.sweeps import results
from rumcli.sweeps.folder import SweepFolder
from tests.sweeps.files import run_of, sweep, write_run, write_sweep

A, B, C = ({"optimizer.learning_rate": rate} for rate in (0.1, 0.01, 0.001))
RATES = {"optimizer.learning_rate": [0.1, 0.01, 0.001]}


def test_points_have_mean_and_deviation_over_seeds_the_best_first(tmp_path):
    made, plan = sweep(tmp_path, [A, B], parameters=RATES)
    write_run(made, run_of(plan, 1, 1, A), [0.9, 0.8], test=0.85)
    write_run(made, run_of(plan, 1, 2, A), [0.6, 0.7], test=0.65)
    write_run(made, run_of(plan, 2, 1, B), [0.5, 0.3], test=0.35)
    write_run(made, run_of(plan, 2, 2, B), [0.4, 0.2], test=0.25)
    found = results.read(made)
    assert [point.key for point in found.points] == [2, 1]
    best = found.document.points[0]
    assert best.validation.mean == pytest.approx(0.25)
    assert best.validation.deviation == pytest.approx(statistics.stdev([0.3, 0.2]))
    assert best.test.mean == pytest.approx(0.3)
    assert found.count(FINISHED) == 4
    assert found.planned == 6


def test_higher_is_better_for_tasks_with_such_a_metric(tmp_path):
    made, plan = sweep(tmp_path, [A, B], parameters=RATES, seeds=[1])
    write_run(made, run_of(plan, 1, 1, A), [0.2, 0.6, 0.5], metric="accuracy", higher=True)
    write_run(made, run_of(plan, 2, 1, B), [0.3, 0.7], metric="accuracy", higher=True)
    found = results.read(made)
    assert [point.key for point in found.points] == [2, 1]
    assert found.points[1].values == [0.6]
    assert results.curve(made, run_of(plan, 1, 1, A)) == [(10, -0.2), (20, -0.6), (30, -0.5)]


def test_the_choice_is_by_validation_and_not_by_test(tmp_path):
    made, plan = sweep(tmp_path, [A, B], parameters=RATES, seeds=[1])
    write_run(made, run_of(plan, 1, 1, A), [0.2], test=0.9)
    write_run(made, run_of(plan, 2, 1, B), [0.3], test=0.1)
    assert [point.key for point in results.read(made).points] == [1, 2]


def test_a_point_with_a_seed_that_failed_comes_after_all_whole_ones(tmp_path):
    made, plan = sweep(tmp_path, [A, B, C], parameters=RATES)
    for seed, value in ((1, 0.8), (2, 0.9)):
        write_run(made, run_of(plan, 1, seed, A), [value], test=value)
    write_run(made, run_of(plan, 2, 1, B), [0.1], test=0.1)
    write_run(made, run_of(plan, 2, 2, B), [0.1])
    made.mark(run_of(plan, 2, 2, B), RunResult(FAILED, "the loss is not finite"))
    found = results.read(made)
    assert [point.key for point in found.points] == [1, 2, 3]
    states = [one.state for point in found.points for one in point.runs]
    assert states == ["finished", "finished", "finished", "failed", "not begun", "not begun"]
    assert found.points[1].runs[1].message == "the loss is not finite"


def test_resumed_run_is_no_longer_marked(tmp_path):
    made, plan = sweep(tmp_path, [A], parameters=RATES, seeds=[1])
    write_run(made, run_of(plan, 1, 1, A), [0.5])
    made.mark(run_of(plan, 1, 1, A), RunResult(STOPPED_EARLY, "at step 10"))
    assert results.read(made).count(STOPPED_EARLY) == 1
    made.begin(run_of(plan, 1, 1, A))
    assert results.read(made).count(UNFINISHED) == 1


def test_invalid_record_does_not_hide_the_others(tmp_path):
    made, plan = sweep(tmp_path, [A, B], parameters=RATES, seeds=[1])
    write_run(made, run_of(plan, 1, 1, A), [0.5], test=0.5)
    other = write_run(made, run_of(plan, 2, 1, B), [0.4])
    (other.path / "metrics.jsonl").unlink()
    (other.path / "metrics.jsonl").mkdir()
    (other.path / "result.json").write_text('{"state": ["failed"]}')
    with (made.path / "points.jsonl").open("a") as file:
        file.write('{"optimizer.lear')
    found = results.read(SweepFolder.open(made.path))
    assert [point.values for point in found.points] == [[0.5], []]


def test_one_value_has_no_deviation():
    assert statistics_of([2.0]) == SeedStatistics(mean=2.0, deviation=None, of=1)
    assert statistics_of([]) is None


def test_finished_runs_do_not_exceed_a_lowered_limit(tmp_path):
    made, plan = sweep(tmp_path, [A, B, C], parameters=RATES, seeds=[1])
    for number, settings in ((1, A), (3, C)):
        write_run(made, run_of(plan, number, 1, settings), [number / 10], test=0.5)
    done = [
        (found.done, found.planned, found.is_complete)
        for found in (results.read(made, made.plan(runs)) for runs in (1, 2, 3))
    ]
    assert done == [(1, 1, True), (1, 2, False), (2, 3, False)]
    found = results.read(made, made.plan(runs=1))
    assert [point.values for point in found.points] == [[0.1], [0.3], []]
    assert [one.job.name for one in found.due] == ["point-1-seed-1"]


def test_runs_of_an_invalid_point_have_failed(tmp_path):
    points = [{"task.delay": delay} for delay in (21, 22)]
    changes = {"search": "random", "task": "recall", "set": {}, "hours": 1}
    made, right = sweep(tmp_path, points, parameters={"task.delay": [20, 22]}, **changes)
    between = {"task.delay": {"low": 20, "high": 22, "integer": True}}
    path = write_sweep(tmp_path, parameters=between, **{**changes, "search": "bayesian"})
    found = results.read(made, plans.read(path, base=right.base))
    assert [one.state for one in found.due] == [FAILED, FAILED, WAITING, WAITING]
    assert "task.delay: expected an even integer, got 21" in found.due[0].message


def test_unrecognized_points_can_be_shown(tmp_path):
    strange = [{"cell": 1, "cell.name": [{}]}, {"": None}]
    made, _ = sweep(tmp_path, strange, parameters=RATES)
    assert {one.state for one in results.read(made).due} == {FAILED}
