"""What `rum sweep` checks before Ray starts, and what it does once Ray is done, without Ray."""

import sys
from pathlib import Path

import pytest

from rumcli.cli import sweep as command
from rumcli.errors import ConfigError, RunError
from rumcli.sweeps import tune
from rumcli.sweeps.folder import FAILED, SweepFolder
from rumcli.sweeps.plan import Plan
from rumcli.sweeps.tune import Ending
from rumcli.training import lock
from tests.sweeps.files import SMALL, give, run, sweep, write


class ReachedRayError(Exception):
    """A sweep came as far as Ray."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in, where all is there that a sweep needs but Ray."""

    def run(*arguments):
        raise ReachedRayError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tune, "require", lambda plan: None)
    monkeypatch.setattr(tune, "run", run)
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
    """The configurations that are made; more of them than a person would wait for are too many."""
    found, make = [], Plan.run

    def counted(plan, settings, seed):
        found.append(settings)
        assert len(found) < 2000
        return make(plan, settings, seed)

    monkeypatch.setattr(Plan, "run", counted)
    return found


@pytest.mark.usefixtures("made")
def test_a_search_in_many_lists_begins_at_once(here):
    write(here, search="random", runs=2, parameters={**MANY, "cell.units": TEN})
    with pytest.raises(ReachedRayError):
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
    write(here, search="random", runs=2, parameters={**parameters, **MANY})
    with pytest.raises(ConfigError, match="names code, mine:Cell"):
        command.sweep(here / "sweep.yaml", quiet=True)
    with pytest.raises(ReachedRayError):
        command.sweep(here / "sweep.yaml", trust_code=True, quiet=True)


def test_all_of_several_codes_are_looked_at(here, monkeypatch):
    own = {**SMALL["set"], "cell.name": "custom", "cell.factory": "mine:A"}
    write(here, set=own, parameters={"cell.factory": ["mine:A", "mine:B", "mine:C"]})
    seen = []
    monkeypatch.setattr(command.code, "check", lambda run, trusted: seen.append(run.cell.factory))
    with pytest.raises(ReachedRayError):
        command.sweep(here / "sweep.yaml", quiet=True)
    assert set(seen) == {"mine:A", "mine:B", "mine:C"}


@pytest.mark.parametrize("missing", [0, 1])
def test_each_of_several_texts_is_looked_for(here, missing):
    texts = ["one.txt", "two.txt"]
    (here / texts[1 - missing]).write_text("the quick brown fox " * 100)
    own = {"cell.name": "gru", "cell.units": 8, "train.batch_size": 2, "task.length": 5}
    write(here, task="ptb", set=own, parameters={"task.data": texts})
    with pytest.raises(ConfigError, match=f"{texts[missing]}"):
        command.sweep(here / "sweep.yaml", quiet=True)
    assert not (here / "sweeps").exists()
    (here / texts[missing]).write_text("the lazy dog " * 100)
    with pytest.raises(ReachedRayError):
        command.sweep(here / "sweep.yaml", quiet=True)


A, B = ({"optimizer.learning_rate": rate} for rate in (0.01, 0.001))


@pytest.fixture
def left(here, monkeypatch):
    """A sweep of two points and one seed, with a function that says how Ray ends it."""
    folder, plan = sweep(here, [A, B], seeds=[1])

    def ends(out_of_time=False, failed=(), saved=(), tested=(), **options):
        def run_them(*arguments):
            for number, settings in enumerate((A, B), 1):
                if number in (*failed, *saved, *tested):
                    test = 0.5 if number in tested else None
                    give(folder, plan, run(number, 1, settings), test=test)
                if number in failed:
                    folder.mark(run(number, 1, settings), FAILED, f"loss {number} is not finite")
            return Ending(None, out_of_time)

        monkeypatch.setattr(tune, "run", run_them)
        command.sweep(resume=folder.path.relative_to(here), **options)

    return ends


def test_a_sweep_whose_hours_are_over_before_a_validation_has_not_failed(left, capsys):
    left(out_of_time=True, failed=[1], saved=[2])
    assert "the limit of hours is reached" in capsys.readouterr().err


def test_a_search_of_which_a_run_failed_is_done(left, capsys):
    left(failed=[2], saved=[1])
    assert "1 failed" in capsys.readouterr().out


def test_a_sweep_of_which_every_run_failed_has_failed(left, capsys):
    with pytest.raises(RunError) as error:
        left(failed=[1, 2])
    assert str(error.value) == "every run failed; point-1-seed-1: loss 1 is not finite"
    assert "1 failed" in capsys.readouterr().out


def test_a_limit_that_is_done_with_is_finished_and_what_was_drawn_beyond_it_shown(left, capsys):
    left(failed=[2], saved=[1])
    capsys.readouterr()
    left(out_of_time=True, tested=[1], runs=1)
    told = capsys.readouterr()
    assert "1 of 1 run done, the others saved" in told.err
    assert "failed" not in told.err
    assert "failed" in told.out
    left(runs=1)
    assert capsys.readouterr().err == "out is finished\n"


def test_how_to_go_on_has_the_options_that_the_folder_does_not_know(left, capsys, monkeypatch):
    monkeypatch.setattr(tune, "check_address", lambda address: None)
    left(out_of_time=True, saved=[1], address="here:6379", trust_code=True)
    told = capsys.readouterr().err
    assert "to go on: rum sweep --resume out --address here:6379 --trust-code\n" in told
    left(failed=[1], address="auto")
    expected = "1 run failed; to try them again: rum sweep --resume out --address auto\n"
    assert expected in capsys.readouterr().err


def test_a_search_that_gave_up_shows_its_results_and_fails(here, monkeypatch, capsys):
    why = "the last 100 points that were drawn can't be run; point-101: cell.units: expected 1"
    monkeypatch.setattr(tune, "run", lambda *arguments: Ending(None, False, why))
    write(here)
    with pytest.raises(RunError) as error:
        command.sweep(here / "sweep.yaml", out=here / "new")
    assert str(error.value) == why
    assert "copying: grid search" in capsys.readouterr().out


def test_a_sweep_that_breaks_off_says_how_to_go_on(here, monkeypatch):
    sweep(here, [A])

    def break_off(*arguments):
        raise tune.BrokenOffError("can't write to out: No space left on device")

    monkeypatch.setattr(tune, "run", break_off)
    with pytest.raises(RunError) as error:
        command.sweep(resume=Path("out"))
    expected = "can't write to out: No space left on device; to go on: rum sweep --resume out"
    assert str(error.value) == expected


def test_what_is_wrong_only_with_ray_leaves_no_folder(here, monkeypatch):
    def refuse(*arguments):
        raise ConfigError("no machine has as many cores")

    monkeypatch.setattr(tune, "run", refuse)
    write(here)
    with pytest.raises(ConfigError, match="no machine"):
        command.sweep(here / "sweep.yaml", out=here / "new", quiet=True)
    assert not (here / "new").exists()


def test_an_error_after_a_point_was_drawn_takes_nothing_away(here, monkeypatch):
    def draw(plan, folder, *arguments):
        folder.write_points([A])
        raise ConfigError("can't write to new/point-1-seed-1: No space left on device")

    monkeypatch.setattr(tune, "run", draw)
    write(here)
    with pytest.raises(ConfigError, match="No space left"):
        command.sweep(here / "sweep.yaml", out=here / "new", quiet=True)
    assert SweepFolder.open(here / "new").points() == [A]


def test_a_sweep_whose_result_nobody_gets_can_still_be_shown(here, monkeypatch):
    monkeypatch.setattr(tune, "run", lambda *arguments: Ending(None, False))
    monkeypatch.setattr(sys, "stdout", None)  # as `>&-` has it
    write(here)
    with pytest.raises(ConfigError, match="stdout is closed"):
        command.sweep(here / "sweep.yaml", out=here / "new")
    command.sweep(results=here / "new", quiet=True)


def test_a_sweep_under_way_is_not_given_other_limits(left, here):
    description = here / "out" / "sweep.yaml"
    before = description.read_text()
    with lock.held(here / "out"), pytest.raises(RunError, match="process"):
        left(runs=1)
    assert description.read_text() == before
    left(runs=1)
    assert "runs: 1\n" in description.read_text()


def test_a_sweep_that_was_killed_as_it_was_created_is_started_with_its_file(here, monkeypatch):
    monkeypatch.setattr(tune, "run", lambda *arguments: Ending(None, False))
    write(here)
    (here / "new").mkdir()
    for name in ("lock", "base.yaml"):
        (here / "new" / name).write_text("half")
    with pytest.raises(ConfigError, match="start it there: rum sweep FILE --out"):
        command.sweep(resume=here / "new", quiet=True)
    command.sweep(here / "sweep.yaml", resume=here / "new", quiet=True)
    assert SweepFolder.open(here / "new").plan().description.search == "grid"
