"""Starts, stops and resumes of the runs of a set, with processes that only pretend to train.

Early stopping by the best score so far, also after an interruption.
"""

import errno
import time
from multiprocessing import Pipe

import pytest

from rumcli.errors import RunError
from rumcli.jobs import job_spec as budgets
from rumcli.jobs import local
from rumcli.jobs.engine import Engine, Halving, JobQueue, JobSource
from rumcli.jobs.job_spec import (
    FAILED,
    FINISHED,
    SAVE,
    SAVE_AND_TEST,
    STOPPED,
    STOPPED_EARLY,
    UNFINISHED,
    JobGroup,
    JobListener,
    RunProgress,
    RunResult,
    TimeLimit,
)
from rumcli.jobs.local import Gpus, LocalExecutor
from rumcli.signals import StopRequest
from rumcli.sweeps import search
from tests.reproduction.files import (
    PLAIN,
    finish_run,
    result_of,
    results_of,
    runs,
    table,
    write_summary,
)
from tests.sweeps.files import run_of, sweep, write_run

RATES = [0.1, 0.01, 0.001]


class Pretender:
    """A process that ends after a while, or when it is asked to."""

    def __init__(self, place, seconds, end, value=0.5):
        self.connection, self._other = Pipe()
        self.place, self.end, self.value = place, end, value
        self.asked, self.killed = None, False
        self.steps = 0
        self._began = time.monotonic()
        self._ends = self._began + seconds

    def stop(self, how):
        self.asked = self.asked or how

    def kill(self):
        self.killed = True

    def join(self):
        self.connection.close()

    @property
    def _spent(self):
        return time.monotonic() - self._began

    def reports(self):
        self.steps += 1
        if self.asked == SAVE_AND_TEST:
            return [RunResult(UNFINISHED, "", {"loss": 0.5}, self.steps, self._spent)]
        if self.asked == SAVE:
            return [RunResult(UNFINISHED, "", None, self.steps, self._spent)]
        value = 0.9 if "lstm" in self.place.path.name else 0.1
        progress = RunProgress(self.steps, 20, "loss", value, False)
        if time.monotonic() < self._ends:
            return [progress]
        if self.end == RunResult(FINISHED):
            write_summary(self.place, self.value)
        return [progress, self.end]  # so that a short run has a validation, too


class Recorder(JobListener):
    """Records its events."""

    def __init__(self, action=None):
        self.began_runs, self.ends, self.most, self._running = [], [], 0, set()
        self._action = action or (lambda run: None)

    def began(self, run):
        self.began_runs.append(run.name)
        self._running.add(run.name)
        self.most = max(self.most, len(self._running))

    def progressed(self, run, standing, machine):
        self._action(run)

    def retried(self, run, message):
        self.began_runs.append(f"{run.name} again: {message}")

    def ended(self, run, state, message):
        self._running.discard(run.name)
        self.ends.append((run.name, state))


@pytest.fixture
def small_table(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "POLL_SECONDS", 0.005)
    monkeypatch.setattr(budgets, "MIN_SHARE", 0.01)
    monkeypatch.setattr(budgets, "MIN_CONTINUE", 0.05)
    monkeypatch.setattr(budgets, "MIN_START", 0.01)
    return table(tmp_path, conditions={"A": {"task.delay": 4}}, rows=PLAIN)


def queue_of(folder, todo, is_shared):
    return JobQueue(folder, JobSource([JobGroup(None, tuple(todo))]), JobListener(), is_shared)


def execute(folder, todo, launch, slots=1, limit=None, listener=None, request=None, halving=None):
    """Run some runs of a table."""
    listener, request = listener or Recorder(), request or StopRequest()
    is_shared = limit is not None and limit.is_shared
    engine = Engine(folder, queue_of(folder, todo, is_shared), listener, request, limit, halving)
    LocalExecutor(launch, slots, Gpus([], 0), retries=1).run(engine)
    return listener


def run_table(small_table, seconds, budget=None, slots=1, ends=None, **others):
    """Run a small table; `seconds` is what each run takes, by a part of its name."""
    read, folder = small_table
    made = []

    def launch(place, variables):
        took = next((s for part, s in seconds.items() if part in place.path.name), 0.01)
        end = next((e for part, e in (ends or {}).items() if part in place.path.name), None)
        made.append(Pretender(place, took, end or RunResult(FINISHED)))
        return made[-1]

    limit = None if budget is None else TimeLimit.budget(budget, time.monotonic(), slots)
    todo = list(runs(read).values())
    return execute(folder, todo, launch, slots, others.pop("limit", limit), **others), made


NAMES = ["gru-a-seed-1", "lstm-a-seed-1", "gru-a-seed-2", "lstm-a-seed-2"]


@pytest.mark.parametrize("slots", [1, 3])
def test_runs_start_in_order_with_limited_parallelism(small_table, slots):
    listener, _ = run_table(small_table, {}, slots=slots)
    assert listener.began_runs == NAMES
    assert sorted(listener.ends) == sorted((name, FINISHED) for name in NAMES)
    assert listener.most == slots


def test_unfinished_runs_share_the_time_and_are_tested(small_table):
    # when
    began = time.monotonic()
    listener, _ = run_table(small_table, {"seed": 1000}, budget=1.2)
    took = time.monotonic() - began

    # then
    assert took < 1.2 + 1.0  # an uneven machine
    assert listener.began_runs[:4] == NAMES
    assert {state for _, state in listener.ends} == {STOPPED}
    read, folder = small_table
    assert [one.value for one in results_of(read, folder).runs] == [0.5] * 4


def test_run_past_its_share_continues_if_time_is_left(small_table):
    listener, _ = run_table(small_table, {"gru-a-seed-1": 1000}, budget=1.2)
    assert listener.began_runs == [*NAMES, NAMES[0]]
    assert listener.ends[-1] == (NAMES[0], STOPPED)


def test_a_run_with_a_larger_share_is_stopped_later(tmp_path, small_table):
    # given
    rows = {**PLAIN, "LSTM": {**PLAIN["LSTM"], "budget_weight": 4}}
    (tmp_path / "uneven").mkdir()
    uneven = table(tmp_path / "uneven", conditions={"A": {"task.delay": 4}}, rows=rows)

    # when
    _, made = run_table(uneven, {"seed": 1000}, budget=1.2)

    # then
    gru, lstm = ([one.steps for one in made if name in one.place.path.name] for name in NAMES[:2])
    assert lstm[0] > 2 * gru[0]


def test_run_past_its_share_continues_without_waiting_runs(small_table):
    listener, made = run_table(small_table, {"seed-1": 1000}, budget=0.8, slots=4)
    assert listener.began_runs == NAMES
    assert [one.asked for one in made] == [SAVE_AND_TEST] * 2 + [None] * 2


def test_failed_run_is_recorded_and_the_others_continue(small_table):
    listener, _ = run_table(
        small_table, {}, ends={"lstm-a-seed-1": RunResult(FAILED, "it is broken")}
    )
    assert dict(listener.ends) == {**dict.fromkeys(NAMES, FINISHED), "lstm-a-seed-1": FAILED}
    read, folder = small_table
    (failure,) = results_of(read, folder).failures
    assert (failure.job.name, failure.message) == ("lstm-a-seed-1", "it is broken")


def test_failed_run_keeps_its_earlier_test(small_table):
    # given
    read, folder = small_table
    todo = list(runs(read).values())
    folder.begin(todo[0])
    folder.mark(todo[0], RunResult(STOPPED, "", {"loss": 0.25}, 12, 3.5))

    # when: twice, so that it is tried again after it has failed
    for _ in range(2):
        run_table(small_table, {}, ends={NAMES[0]: RunResult(FAILED, "no memory")})

    # then
    (failure,) = results_of(read, folder).failures
    assert (failure.job.name, failure.message) == (NAMES[0], "no memory")
    assert (failure.value, failure.step, failure.seconds) == (0.25, 12, 3.5)
    assert folder.mark_of(todo[0]).state == FAILED
    folder.begin(todo[0])
    assert result_of(read, folder, todo[0]).state == STOPPED


def test_a_run_whose_test_is_not_finite_has_failed(small_table):
    # given
    read, folder = small_table
    todo = list(runs(read).values())[:1]

    def launch(place, variables):
        return Pretender(place, 0.01, RunResult(FINISHED), value=float("nan"))

    # when
    listener = execute(folder, todo, launch)

    # then
    assert listener.ends == [(NAMES[0], FAILED)]
    (failure,) = results_of(read, folder, 1).failures
    assert failure.message == "its summary.json has no finite test metrics"


def test_stop_request_saves_all_runs_without_testing(small_table):
    # given
    request = StopRequest()

    def ask(run):
        request.signal = 2

    # when
    listener, made = run_table(
        small_table, {"seed": 1000}, slots=2, request=request, listener=Recorder(ask)
    )

    # then
    assert listener.began_runs == NAMES[:2]
    assert [one.asked for one in made] == [SAVE] * 2
    assert listener.ends == [(name, UNFINISHED) for name in NAMES[:2]]
    read, folder = small_table
    assert all(folder.mark_of(run) is None for run in runs(read).values())


def test_internal_error_leaves_no_process(small_table):
    made = []

    def interrupted(run):
        raise KeyboardInterrupt

    read, folder = small_table

    def launch(place, variables):
        made.append(Pretender(place, 1000, None))
        return made[-1]

    todo = list(runs(read).values())
    with pytest.raises(KeyboardInterrupt):
        execute(folder, todo, launch, 2, listener=Recorder(interrupted))
    assert [one.killed for one in made] == [True, True]


def test_finished_runs_are_skipped_and_least_trained_runs_come_first(small_table):
    # given
    read, folder = small_table
    todo = list(runs(read).values())
    finish_run(folder, todo[1], 0.5)
    for run, seconds in ((todo[0], 20.0), (todo[3], 10.0)):
        folder.begin(run)
        folder.mark(run, RunResult(STOPPED, step=10, seconds=seconds))

    # then
    queue = queue_of(folder, todo, is_shared=True)
    assert [run.name for run in iter(queue.next, None)] == [NAMES[2], NAMES[3], NAMES[0]]


def test_earlier_training_time_counts(small_table):
    # given
    read, folder = small_table
    todo = list(runs(read).values())
    folder.begin(todo[0])
    folder.mark(todo[0], RunResult(STOPPED, step=10, seconds=5.0))

    # when: the others come to as much as it had
    run_table(small_table, {"seed": 1000}, budget=1.2)

    # then
    had = [folder.share(run).had for run in todo]
    assert had[0] <= 5.0
    assert sum(had[1:]) == pytest.approx(1.2 * 0.9, abs=0.5)


@pytest.mark.parametrize("noted", ["much", None, -1, True, float("inf"), 10**400])
def test_invalid_time_counts_as_zero(small_table, noted):
    read, folder = small_table
    run = next(iter(runs(read).values()))
    folder.begin(run)
    folder.run_dir(run).write_json("result.json", {"state": STOPPED, "seconds": noted})
    assert folder.share(run).had == 0.0


def test_run_whose_process_died_is_started_again_and_fails_the_second_time(small_table):
    # when: each process reports its death
    listener, _ = run_table(small_table, {}, ends={NAMES[0]: "its process ended by signal 9"})

    # then
    assert listener.began_runs[:3] == [
        NAMES[0],
        f"{NAMES[0]} again: its process ended by signal 9",
        NAMES[0],
    ]
    assert dict(listener.ends) == {**dict.fromkeys(NAMES, FINISHED), NAMES[0]: FAILED}
    read, folder = small_table
    message = folder.mark_of(runs(read)[NAMES[0]]).message
    assert message == "its process ended by signal 9; its checkpoints are intact"


def test_deadline_saves_all_runs_without_testing(small_table):
    limit = TimeLimit(time.monotonic() + 1.5)
    listener, made = run_table(small_table, {"seed": 1000}, slots=2, limit=limit)
    assert listener.began_runs == NAMES[:2]
    assert [one.asked for one in made] == [SAVE] * 2


def test_worse_runs_of_a_search_are_stopped_early(small_table):
    halving = Halving(grace_period=1, reduction_factor=2.0, steps=20)
    listener, _ = run_table(small_table, {"lstm": 1000}, halving=halving)
    assert dict(listener.ends) == {
        name: STOPPED_EARLY if "lstm" in name else FINISHED for name in NAMES
    }
    read, folder = small_table
    assert folder.mark_of(runs(read)[NAMES[1]]).state == STOPPED_EARLY


def test_full_disk_at_the_start_of_a_run_saves_the_others(small_table, monkeypatch):
    # given
    read, folder = small_table
    begin = type(folder).begin
    made = []

    def launch(place, variables):
        made.append(Pretender(place, 1000, None))
        return made[-1]

    def refuse(self, run):
        if run.name != NAMES[0]:
            raise RunError("No space left on device")
        return begin(self, run)

    monkeypatch.setattr(type(folder), "begin", refuse)

    # when
    with pytest.raises(RunError, match="No space left"):
        execute(folder, list(runs(read).values()), launch, 2)

    # then
    assert [one.asked for one in made] == [SAVE]


def test_process_that_cannot_start_is_reported(small_table):
    read, folder = small_table

    def launch(place, variables):
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    with pytest.raises(RunError, match=r"can't start the process of .*gru-a-seed-1: Resource temp"):
        execute(folder, list(runs(read).values()), launch)


def test_run_folder_that_is_a_link_fails_and_the_others_continue(small_table, tmp_path):
    _, folder = small_table
    (tmp_path / "elsewhere").mkdir()
    (folder.path / NAMES[0]).symlink_to(tmp_path / "elsewhere")
    listener, _ = run_table(small_table, {})
    assert dict(listener.ends) == {**dict.fromkeys(NAMES, FINISHED), NAMES[0]: FAILED}


POINTS = [{"optimizer.learning_rate": rate} for rate in RATES]


def decisions(halving, name, *scores, first_step=10):
    """Report a score every ten steps; return whether the run may continue after each."""
    return [halving.allows(name, first_step + 10 * n, score) for n, score in enumerate(scores)]


def test_a_run_that_is_worse_than_most_is_stopped():
    halving = Halving(grace_period=10, reduction_factor=2.0, steps=40)
    assert decisions(halving, "a", 0.2, 0.1) == [True, True]
    assert decisions(halving, "b", 0.9) == [False]


def test_one_in_reduction_factor_runs_continues():
    halving = Halving(grace_period=10, reduction_factor=3.0, steps=40)
    assert [decisions(halving, str(n), score)[0] for n, score in enumerate([5, 4, 6, 3, 4.5])] == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_single_bad_value_after_good_ones_does_not_stop_a_run():
    halving = Halving(grace_period=10, reduction_factor=2.0, steps=40)
    decisions(halving, "a", 0.5, 0.4)
    assert decisions(halving, "b", 0.3, 0.9) == [True, True]


def test_no_run_is_stopped_between_two_comparisons_or_at_its_last_step():
    halving = Halving(grace_period=10, reduction_factor=2.0, steps=40)
    decisions(halving, "a", *[0.1] * 4)
    halving.allows("b", 10, 0.05)
    halving.allows("b", 20, 0.05)
    assert halving.allows("c", 5, 0.9)
    assert [halving.allows("b", step, 0.9) for step in (21, 30, 39, 40)] == [True] * 4
    late = Halving(grace_period=40, reduction_factor=2.0, steps=40)
    assert late.allows("a", 40, 0.1)
    assert late.allows("b", 40, 0.9)


def test_resumed_search_compares_with_the_earlier_validations(tmp_path):
    # given: a run that was finished, one that was stopped, and one that continues
    early = {"grace_period": 10, "reduction_factor": 2}
    changes = {"parameters": {"optimizer.learning_rate": RATES}, "seeds": [1]}
    made, plan = sweep(tmp_path, POINTS, early_stopping=early, **changes)
    runs = [run_of(plan, number, 1, point) for number, point in enumerate(POINTS, 1)]
    write_run(made, runs[0], [0.2, 0.1], test=0.1)
    write_run(made, runs[1], [0.9])
    made.mark(runs[1], RunResult(STOPPED_EARLY, "at step 10"))
    write_run(made, runs[2], [0.15])

    # when
    halving = search.halving(plan, made)

    # then: what was decided at step 10 stays so
    assert halving.allows(runs[2].name, 10, 0.15)
    assert not halving.allows("point-4-seed-1", 10, 0.5)
