"""Checks of `rum sweep` before the first run starts and its output after the last one."""

import sys
from pathlib import Path

import pytest

from rumcli.cli import _run_arguments
from rumcli.cli import sweep as command
from rumcli.errors import ConfigError, RunError
from rumcli.jobs import execution
from rumcli.jobs.execution import Ending
from rumcli.jobs.job_spec import FAILED, RunResult
from rumcli.sweeps.search import Search, SweepFolder
from rumcli.sweeps.sweep_spec import SweepPlan
from rumcli.training import lock
from tests.sweeps.files import SMALL, run_of, sweep, write_run, write_sweep


class ReachedRunsError(Exception):
    """A sweep came as far as its runs."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with all that a sweep needs."""

    def run(*arguments):
        raise ReachedRunsError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(execution, "run", run)
    return tmp_path


TEN = list(range(1, 11))
MANY = {
    "task.delay": TEN,
    "train.batch_size": TEN,
    "train.eval_every": TEN,
    "train.checkpoint_every": TEN,
    "task.test_examples": TEN,
    "task.validation_examples": TEN,
    "model.layers": TEN,
}


@pytest.fixture
def made(monkeypatch):
    """Collect the configurations that a sweep builds; over 2,000 of them fail the test."""
    found, make = [], SweepPlan.run

    def counted(plan, settings, seed):
        found.append(settings)
        assert len(found) < 2000
        return make(plan, settings, seed)

    monkeypatch.setattr(SweepPlan, "run", counted)
    return found


@pytest.mark.usefixtures("made")
def test_search_over_many_lists_starts_at_once(here):
    write_sweep(here, search="random", max_runs=2, parameters={**MANY, "cell.units": TEN})
    with pytest.raises(ReachedRunsError):
        command.sweep(here / "sweep.yaml", quiet=True)


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    "parameters",
    [
        {"cell": [{"name": "gru"}, {"name": "custom", "factory": "mine:Cell"}]},
        {"cell.name": ["custom"], "cell.factory": ["mine:Cell"]},
    ],
)
def test_code_is_found_among_many_lists(here, parameters):
    (here / "mine.py").write_text("class Cell: pass\n")
    write_sweep(here, search="random", max_runs=2, parameters={**parameters, **MANY})
    with pytest.raises(ConfigError, match="names code, mine:Cell"):
        command.sweep(here / "sweep.yaml", quiet=True)
    with pytest.raises(ReachedRunsError):
        command.sweep(here / "sweep.yaml", trust_code=True, quiet=True)


def test_every_code_path_is_checked(here, monkeypatch):
    own = {**SMALL["set"], "cell.name": "custom", "cell.factory": "mine:A"}
    write_sweep(here, set=own, parameters={"cell.factory": ["mine:A", "mine:B", "mine:C"]})
    seen = []
    monkeypatch.setattr(
        _run_arguments, "check_trust", lambda run, trusted: seen.append(run.cell.factory)
    )
    with pytest.raises(ReachedRunsError):
        command.sweep(here / "sweep.yaml", quiet=True)
    assert set(seen) == {"mine:A", "mine:B", "mine:C"}


@pytest.mark.parametrize("missing", [0, 1])
def test_every_text_path_is_checked(here, missing):
    texts = ["one.txt", "two.txt"]
    (here / texts[1 - missing]).write_text("the quick brown fox " * 100)
    own = {"cell.name": "gru", "cell.units": 8, "train.batch_size": 2, "task.bptt_steps": 5}
    write_sweep(here, task="ptb", set=own, parameters={"task.data": texts})
    with pytest.raises(ConfigError, match=f"{texts[missing]}"):
        command.sweep(here / "sweep.yaml", quiet=True)
    assert not (here / "sweeps").exists()
    (here / texts[missing]).write_text("the lazy dog " * 100)
    with pytest.raises(ReachedRunsError):
        command.sweep(here / "sweep.yaml", quiet=True)


A, B = ({"optimizer.learning_rate": rate} for rate in (0.01, 0.001))


@pytest.fixture
def left(here, monkeypatch):
    """A sweep of two points and one seed, with a function that pretends to run it."""
    folder, plan = sweep(here, [A, B], seeds=[1])

    def ends(out_of_time=False, failed=(), saved=(), tested=(), **options):
        def run_them(*arguments):
            for number, settings in enumerate((A, B), 1):
                run = run_of(plan, number, 1, settings)
                if number in (*failed, *saved, *tested):
                    test = 0.5 if number in tested else None
                    write_run(folder, run, test=test)
                if number in failed:
                    folder.mark(
                        run_of(plan, number, 1, settings),
                        RunResult(FAILED, f"loss {number} is not finite"),
                    )
            return Ending(None, out_of_time)

        monkeypatch.setattr(execution, "run", run_them)
        command.sweep(resume=folder.path.relative_to(here), **options)

    return ends


def test_time_limit_before_the_first_validation_is_no_failure(left, capsys):
    left(out_of_time=True, saved=[2])
    assert "the time is over; 0 of 2 runs done; to resume: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        ([2], "1 run failed; point-2-seed-1: loss 2"),
        ([1, 2], "2 runs failed; point-1-seed-1: loss 1"),
    ],
)
def test_sweep_with_a_failed_run_shows_its_results_and_fails(left, capsys, failed, expected):
    with pytest.raises(RunError) as error:
        left(failed=failed, saved=[1])
    assert str(error.value) == f"{expected} is not finite"
    assert "1 failed" in capsys.readouterr().out


def test_sweep_at_its_limit_is_finished_and_shows_points_beyond_it(left, capsys):
    with pytest.raises(RunError):
        left(failed=[2], saved=[1])
    capsys.readouterr()
    left(out_of_time=True, tested=[1], max_runs=1)
    told = capsys.readouterr()
    assert "failed" not in told.err
    assert "failed" in told.out
    left(max_runs=1)
    assert capsys.readouterr().err == "out is finished\n"


def test_resume_command_has_the_options_not_stored_in_the_directory(left, capsys, monkeypatch):
    monkeypatch.setattr(execution, "check", lambda options: None)
    options = {"address": "here:6379", "jobs": 3, "budget": "1h", "trust_code": True}
    left(out_of_time=True, saved=[1], **options)
    expected = (
        "the time is over; 0 of 2 runs done; to resume: rum sweep --resume out --jobs 3 "
        "--address here:6379 --budget 1h --trust-code\n"
    )
    assert expected in capsys.readouterr().err


def test_exhausted_search_shows_its_results_and_fails(here, monkeypatch, capsys):
    why = "the last 100 points drawn are invalid; point-101: cell.units: expected 1"
    monkeypatch.setattr(execution, "run", lambda *arguments: Ending())
    monkeypatch.setattr(Search, "gave_up", why)
    write_sweep(here)
    with pytest.raises(RunError) as error:
        command.sweep(here / "sweep.yaml", out=here / "new")
    assert str(error.value) == why
    assert "copying: grid search" in capsys.readouterr().out


def test_aborted_sweep_prints_the_resume_command(here, monkeypatch):
    sweep(here, [A])

    def break_off(*arguments):
        raise RunError("can't write to out: No space left on device")

    monkeypatch.setattr(execution, "run", break_off)
    with pytest.raises(RunError) as error:
        command.sweep(resume=Path("out"))
    expected = "can't write to out: No space left on device; to resume: rum sweep --resume out"
    assert str(error.value) == expected


def test_error_before_the_first_run_leaves_no_directory(here, monkeypatch):
    def refuse(*arguments):
        raise ConfigError("no machine has as many cores")

    monkeypatch.setattr(execution, "run", refuse)
    write_sweep(here)
    with pytest.raises(ConfigError, match="no machine"):
        command.sweep(here / "sweep.yaml", out=here / "new", quiet=True)
    assert not (here / "new").exists()


def test_error_after_a_drawn_point_deletes_nothing(here, monkeypatch):
    def draw(jobs, *arguments):
        jobs.folder.write_points([A])
        raise ConfigError("can't write to new/point-1-seed-1: No space left on device")

    monkeypatch.setattr(execution, "run", draw)
    write_sweep(here)
    with pytest.raises(ConfigError, match="No space left"):
        command.sweep(here / "sweep.yaml", out=here / "new", quiet=True)
    assert SweepFolder.open(here / "new").points() == [A]


def test_sweep_with_lost_output_can_still_be_shown(here, monkeypatch):
    monkeypatch.setattr(execution, "run", lambda *arguments: Ending(None, False))
    monkeypatch.setattr(sys, "stdout", None)  # as `>&-` has it
    write_sweep(here)
    with pytest.raises(ConfigError, match="stdout is closed"):
        command.sweep(here / "sweep.yaml", out=here / "new")
    command.sweep(results=here / "new", quiet=True)


def test_run_folder_of_another_configuration_is_rejected_before_any_change(here, capsys):
    # given: a sweep whose first run has the configuration of the second point
    folder, plan = sweep(here, [A, B], seeds=[1])
    write_run(folder, run_of(plan, 1, 1, A), [0.5])
    folder.run_dir(run_of(plan, 1, 1, A)).write_config(run_of(plan, 2, 1, B).config)
    before = {file: file.read_bytes() for file in folder.path.rglob("*") if file.is_file()}

    # when
    with pytest.raises(ConfigError, match=r"point-1-seed-1: .* in optimizer.learning_rate; choose"):
        command.sweep(resume=Path("out"), max_runs=2)

    # then
    assert before == {f: f.read_bytes() for f in folder.path.rglob("*") if f.is_file()}


def test_limits_of_a_running_sweep_cannot_change(left, here):
    description = here / "out" / "sweep.yaml"
    before = description.read_text()
    with lock.held(here / "out"), pytest.raises(RunError, match="process"):
        left(max_runs=1)
    assert description.read_text() == before
    left(max_runs=1)
    assert "max_runs: 1\n" in description.read_text()


def test_sweep_killed_during_creation_restarts_from_its_file(here, monkeypatch):
    monkeypatch.setattr(execution, "run", lambda *arguments: Ending(None, False))
    write_sweep(here)
    (here / "new").mkdir()
    for name in ("lock", "base.yaml"):
        (here / "new" / name).write_text("half")
    with pytest.raises(ConfigError, match="to start it: rum sweep FILE --out"):
        command.sweep(resume=here / "new", quiet=True)
    command.sweep(here / "sweep.yaml", resume=here / "new", quiet=True)
    assert SweepFolder.open(here / "new").plan().spec.search == "grid"
