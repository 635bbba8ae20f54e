"""Results of a sweep are read from its directories, without Ray and Keras."""

import errno
import statistics

import pytest

from rumcli.errors import ConfigError, RunError
from rumcli.jobs.job_folder import statistics_of
from rumcli.jobs.job_spec import FAILED, FINISHED, STOPPED_EARLY, UNFINISHED, WAITING, RunResult
from rumcli.json_schemas.results import SeedStatistics
from rumcli.sweeps import search
from rumcli.sweeps import sweep_spec as plans
from rumcli.sweeps.search import SweepFolder
from tests.sweeps.files import run_of, sweep, write_run, write_sweep

from . import files

POINT = {"optimizer.learning_rate": 0.01}

RATES = {"optimizer.learning_rate": [0.1, 0.01, 0.001]}


def test_incompletely_written_directory_is_removed(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    plan = plans.read(files.write_sweep(tmp_path))
    monkeypatch.setattr(SweepFolder, "write_spec", refuse)
    expected = r"can't write to .*out: No space left on device; free some space"
    with (
        pytest.raises(ConfigError, match=expected),
        SweepFolder.claim(tmp_path / "out", "sweep", plan),
    ):
        pass
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "left", [[".base.yaml.17.part"], ["lock", "base.yaml", ".sweep.yaml.17.part"]]
)
def test_a_sweep_killed_while_it_was_created_can_be_started_in_the_same_folder(tmp_path, left):
    # given
    plan, out = plans.read(files.write_sweep(tmp_path)), tmp_path / "out"
    out.mkdir()
    for name in left:
        (out / name).write_text("half")
    with pytest.raises(ConfigError, match=r"to start it: rum sweep FILE --out .*out"):
        SweepFolder.open(out)

    # when
    with SweepFolder.claim(out, "sweep", plan) as made:
        assert SweepFolder.open(out).plan().spec == plan.spec

    # then
    assert sorted(path.name for path in made.path.iterdir()) == ["base.yaml", "sweep.yaml"]


def test_base_file_of_the_user_is_no_leftover(tmp_path):
    (tmp_path / "base.yaml").write_text("mine")
    plan = plans.read(files.write_sweep(tmp_path))
    with pytest.raises(ConfigError, match="not empty"), SweepFolder.claim(tmp_path, "sweep", plan):
        pass
    assert (tmp_path / "base.yaml").read_text() == "mine"


@pytest.mark.parametrize("line", ["[" * 100_000, "9" * 5000, "\x00", "[]"])
def test_points_after_an_invalid_line_are_drawn_again(tmp_path, line):
    made, _ = files.sweep(tmp_path, [POINT])
    with (made.path / "points.jsonl").open("a") as file:
        file.write(f"{line}\n")
    assert made.points() == [POINT]


@pytest.fixture
def full(tmp_path, monkeypatch):
    """A sweep with a run under way, and nothing more to be written."""
    made, plan = files.sweep(tmp_path, [POINT])
    files.write_run(made, files.run_of(plan, 1, 1, POINT), [0.5])

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("rumcli.atomic_io.write_text", refuse)
        yield made, plan


def test_disk_error_at_the_end_of_a_run_ends_no_other(full):
    made, plan = full
    one = files.run_of(plan, 1, 1, POINT)
    made.mark(one, RunResult(FAILED, "the loss is not finite"))
    assert made.mark_of(one) == RunResult(FAILED, "the loss is not finite")
    assert SweepFolder.open(made.path).mark_of(one) is None
    made.begin(one)
    assert made.mark_of(one) is None


def test_run_that_cannot_start_is_no_usage_error(full):
    made, plan = full
    with pytest.raises(RunError, match=r"can't write to .*point-1-seed-2: No space left"):
        made.begin(files.run_of(plan, 1, 2, POINT))


A, B, C = ({"optimizer.learning_rate": rate} for rate in (0.1, 0.01, 0.001))


def test_points_have_mean_and_deviation_over_seeds_the_best_first(tmp_path):
    made, plan = sweep(tmp_path, [A, B], parameters=RATES)
    write_run(made, run_of(plan, 1, 1, A), [0.9, 0.8], test=0.85)
    write_run(made, run_of(plan, 1, 2, A), [0.6, 0.7], test=0.65)
    write_run(made, run_of(plan, 2, 1, B), [0.5, 0.3], test=0.35)
    write_run(made, run_of(plan, 2, 2, B), [0.4, 0.2], test=0.25)
    found = search.read_results(made)
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
    found = search.read_results(made)
    assert [point.key for point in found.points] == [2, 1]
    assert found.points[1].values == [0.6]
    assert search.curve(made, run_of(plan, 1, 1, A)) == [(10, -0.2), (20, -0.6), (30, -0.5)]


def test_the_choice_is_by_validation_and_not_by_test(tmp_path):
    made, plan = sweep(tmp_path, [A, B], parameters=RATES, seeds=[1])
    write_run(made, run_of(plan, 1, 1, A), [0.2], test=0.9)
    write_run(made, run_of(plan, 2, 1, B), [0.3], test=0.1)
    assert [point.key for point in search.read_results(made).points] == [1, 2]


def test_a_point_with_a_seed_that_failed_comes_after_all_whole_ones(tmp_path):
    made, plan = sweep(tmp_path, [A, B, C], parameters=RATES)
    for seed, value in ((1, 0.8), (2, 0.9)):
        write_run(made, run_of(plan, 1, seed, A), [value], test=value)
    write_run(made, run_of(plan, 2, 1, B), [0.1], test=0.1)
    write_run(made, run_of(plan, 2, 2, B), [0.1])
    made.mark(run_of(plan, 2, 2, B), RunResult(FAILED, "the loss is not finite"))
    found = search.read_results(made)
    assert [point.key for point in found.points] == [1, 2, 3]
    states = [one.state for point in found.points for one in point.runs]
    assert states == ["finished", "finished", "finished", "failed", "not started", "not started"]
    assert found.points[1].runs[1].message == "the loss is not finite"


def test_resumed_run_is_no_longer_marked(tmp_path):
    made, plan = sweep(tmp_path, [A], parameters=RATES, seeds=[1])
    write_run(made, run_of(plan, 1, 1, A), [0.5])
    made.mark(run_of(plan, 1, 1, A), RunResult(STOPPED_EARLY, "at step 10"))
    assert search.read_results(made).count(STOPPED_EARLY) == 1
    made.begin(run_of(plan, 1, 1, A))
    assert search.read_results(made).count(UNFINISHED) == 1


def test_invalid_record_does_not_hide_the_others(tmp_path):
    made, plan = sweep(tmp_path, [A, B], parameters=RATES, seeds=[1])
    write_run(made, run_of(plan, 1, 1, A), [0.5], test=0.5)
    other = write_run(made, run_of(plan, 2, 1, B), [0.4])
    (other.path / "metrics.jsonl").unlink()
    (other.path / "metrics.jsonl").mkdir()
    (other.path / "result.json").write_text('{"state": ["failed"]}')
    with (made.path / "points.jsonl").open("a") as file:
        file.write('{"optimizer.lear')
    found = search.read_results(SweepFolder.open(made.path))
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
        for found in (search.read_results(made, made.plan(runs)) for runs in (1, 2, 3))
    ]
    assert done == [(1, 1, True), (1, 2, False), (2, 3, False)]
    found = search.read_results(made, made.plan(max_runs=1))
    assert [point.values for point in found.points] == [[0.1], [0.3], []]
    assert [one.job.name for one in found.due] == ["point-1-seed-1"]


def test_runs_of_an_invalid_point_have_failed(tmp_path):
    points = [{"task.delay": delay} for delay in (21, 22)]
    changes = {"search": "random", "task": "recall", "set": {}, "max_hours": 1}
    made, right = sweep(tmp_path, points, parameters={"task.delay": [20, 22]}, **changes)
    between = {"task.delay": {"low": 20, "high": 22, "integer": True}}
    path = write_sweep(tmp_path, parameters=between, **{**changes, "search": "bayesian"})
    found = search.read_results(made, plans.read(path, base=right.base))
    assert [one.state for one in found.due] == [FAILED, FAILED, WAITING, WAITING]
    assert "task.delay: expected an even integer, got 21" in found.due[0].message


def test_unrecognized_points_can_be_shown(tmp_path):
    strange = [{"cell": 1, "cell.name": [{}]}, {"": None}]
    made, _ = sweep(tmp_path, strange, parameters=RATES)
    assert {one.state for one in search.read_results(made).due} == {FAILED}
