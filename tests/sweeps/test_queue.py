"""Order of the runs of a new and of a resumed sweep."""

import json

import pytest

from rumcli.errors import ConfigError, RunError
from rumcli.jobs.engine import JobQueue
from rumcli.jobs.job_spec import FAILED, STOPPED_EARLY, JobListener, RunResult
from rumcli.sweeps import sweep_spec as plans
from rumcli.sweeps.search import Search
from rumcli.sweeps.sweep_spec import PointSource
from tests.sweeps.files import run_of, sweep, write_run, write_sweep

A, B = ({"optimizer.learning_rate": rate} for rate in (0.01, 0.001))


def queue_of(plan, made, source=None, listener=None):
    return JobQueue(made, Search(plan, made, source), listener or JobListener())


def names(queue):
    return [one.name for one in iter(queue.next, None)]


def test_the_seeds_of_a_point_follow_each_other(tmp_path):
    made, plan = sweep(tmp_path, [])
    found = names(queue_of(plan, made))
    assert found == [f"point-{point}-seed-{seed}" for point in (1, 2) for seed in (1, 2)]
    assert made.points() == [A, B]


def test_sweep_resumes_with_unfinished_runs_before_new_points(tmp_path):
    made, plan = sweep(tmp_path, [A])
    write_run(made, run_of(plan, 1, 1, A), [0.5], test=0.5)
    queue = queue_of(plan, made)
    assert queue.done_before == 1
    assert names(queue) == ["point-1-seed-2", "point-2-seed-1", "point-2-seed-2"]
    assert made.points() == [A, B]


def test_failed_runs_are_retried_and_early_stopped_runs_are_not(tmp_path):
    made, plan = sweep(tmp_path, [A])
    for seed, state in ((1, FAILED), (2, STOPPED_EARLY)):
        write_run(made, run_of(plan, 1, seed, A), [0.5])
        made.mark(run_of(plan, 1, seed, A), RunResult(state, ""))
    assert names(queue_of(plan, made))[0] == "point-1-seed-1"


def test_points_beyond_a_lowered_limit_are_kept(tmp_path):
    rates = {"optimizer.learning_rate": [0.01, 0.001, 0.0001]}
    c = {"optimizer.learning_rate": 0.0001}
    made, _ = sweep(tmp_path, [A, B, c], parameters=rates)
    plan = made.plan(max_runs=3)
    write_run(made, run_of(plan, 1, 1, A), [0.5], test=0.5)
    write_run(made, run_of(plan, 2, 1, B), [0.4], test=0.4)
    write_run(made, run_of(plan, 2, 2, B), [0.4])
    told = []

    class Recorder(PointSource):
        def known(self, number, settings):
            told.append(number)

    queue = queue_of(plan, made, Recorder(plan.points()))
    assert names(queue) == ["point-1-seed-2"]
    assert queue.done_before == 1
    assert told == [1, 2, 3]
    assert made.points() == [A, B, c]
    again = queue_of(made.plan(max_runs=6), made)
    assert names(again) == ["point-1-seed-2", "point-2-seed-2", "point-3-seed-1", "point-3-seed-2"]


def test_resumed_random_search_draws_the_same_points(tmp_path):
    changes = {
        "search": "random",
        "max_runs": 10,
        "parameters": {"cell.units": {"low": 1, "high": 50, "integer": True}},
    }
    plan = plans.read(write_sweep(tmp_path, **changes))
    whole = plan.listed()
    made, plan = sweep(tmp_path, whole[:2], **changes)
    names(queue_of(plan, made))
    assert made.points() == whole


def test_the_search_learns_the_mean_of_all_seeds(tmp_path):
    told = []

    class Recorder(PointSource):
        def ended(self, number, score):
            told.append((number, score))

    made, plan = sweep(tmp_path, [])
    queue = queue_of(plan, made, Recorder(plan.points()))
    first, second = queue.next(), queue.next()
    write_run(made, first, [0.6, 0.4])
    queue.ended(first)
    assert told == []
    write_run(made, second, [0.2])
    queue.ended(second)
    assert told == [(1, pytest.approx(0.3))]


def test_a_point_of_another_sweep_is_rejected(tmp_path):
    made, plan = sweep(tmp_path, [{"optimizer.learning_rate": 5.0}])
    with pytest.raises(RunError, match=r"points.jsonl: line 1 is not a point of the sweep"):
        queue_of(plan, made)


def test_a_run_folder_of_another_configuration_is_rejected(tmp_path):
    made, plan = sweep(tmp_path, [A])
    write_run(made, run_of(plan, 1, 1, B), [0.5])
    with pytest.raises(ConfigError, match=r"new run in optimizer.learning_rate"):
        made.begin(run_of(plan, 1, 1, A))


def delays(folder, drawn, **changes):
    """Make the folder of a sweep that has drawn delays of recall, of which odd ones can't be run.

    Read as that of a sweep that is there: a new one with such a range is refused.
    """
    changes = {"search": "random", "task": "recall", "set": {}, "max_hours": 1, **changes}
    made, right = sweep(folder, drawn, parameters={"task.delay": [20]}, **changes)
    between = {"low": 20, "high": 998, "integer": True}
    path = write_sweep(
        folder, parameters={"task.delay": between}, **{**changes, "search": "bayesian"}
    )
    return made, plans.read(path, base=right.base)


class Refusals(JobListener):
    """Records the points that can't be run."""

    def __init__(self):
        self.received = []

    def rejected(self, jobs, message):
        self.received.append(([one.name for one in jobs], message))


class Known:
    """Points in a given order; records their reported scores."""

    def __init__(self, *values):
        self._values = iter(values)
        self.heard = []

    def known(self, number, settings):
        pass

    def next(self, number):
        value = next(self._values, None)
        return None if value is None else {"task.delay": value}

    def ended(self, number, score):
        self.heard.append((number, score))


def test_invalid_point_is_skipped_with_a_warning(tmp_path):
    made, plan = delays(tmp_path, [])
    source = Known(21, 22)
    refusals = Refusals()
    queue = queue_of(plan, made, source, refusals)
    assert names(queue) == ["point-2-seed-1", "point-2-seed-2"]
    ((rejected, message),) = refusals.received
    assert rejected == ["point-1-seed-1", "point-1-seed-2"]
    assert "task.delay: expected an even integer, got 21" in message
    assert source.heard == [(1, None)]


def test_sweep_continues_after_an_invalid_point(tmp_path):
    made, plan = delays(tmp_path, [{"task.delay": 21}])
    refusals = Refusals()
    queue = queue_of(plan, made, Known(22), refusals)
    assert names(queue) == ["point-2-seed-1", "point-2-seed-2"]
    assert len(refusals.received) == 1


def test_invalid_points_count_toward_the_limit_of_runs(tmp_path):
    made, plan = delays(tmp_path, [], max_runs=4)
    assert names(queue_of(plan, made, Known(21, 23, 22))) == []
    assert [one["task.delay"] for one in made.points()] == [21, 23]


def test_search_that_draws_only_invalid_points_ends(tmp_path):
    made, plan = delays(tmp_path, [])
    odd = range(21, 999, 2)
    search = Search(plan, made, Known(20, *odd))
    queue = JobQueue(made, search, JobListener())
    assert names(queue) == ["point-1-seed-1", "point-1-seed-2"]
    assert len(made.points()) == 101
    assert search.gave_up.startswith("the last 100 points drawn are invalid; point-101: ")
    assert search.gave_up.endswith("task.delay: expected an even integer, got 219")


def test_points_are_stored_as_json_lines(tmp_path):
    made, _ = sweep(tmp_path, [A, B])
    lines = (made.path / "points.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [A, B]


def test_more_seeds_of_known_points_come_first(tmp_path):
    made, plan = sweep(tmp_path, [A], seeds=[1])
    write_run(made, run_of(plan, 1, 1, A), [0.5], test=0.5)
    more = made.plan(seeds=2)
    queue = queue_of(more, made)
    assert len(list(queue.shares())) == 3
    assert names(queue) == ["point-1-seed-2", "point-2-seed-1", "point-2-seed-2"]
    assert list(queue.shares()) == []
