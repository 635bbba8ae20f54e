import errno

import pytest

from rumcli.errors import ConfigError, RunError
from rumcli.jobs.events import FAILED, RunResult
from rumcli.sweeps import plan as plans
from rumcli.sweeps.folder import SweepFolder

from . import files

A = {"optimizer.learning_rate": 0.01}


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
    with pytest.raises(ConfigError, match=r"start it there: rum sweep FILE --out .*out"):
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
    made, _ = files.sweep(tmp_path, [A])
    with (made.path / "points.jsonl").open("a") as file:
        file.write(f"{line}\n")
    assert made.points() == [A]


@pytest.fixture
def full(tmp_path, monkeypatch):
    """A sweep with a run under way, and nothing more to be written."""
    made, plan = files.sweep(tmp_path, [A])
    files.write_run(made, files.run_of(plan, 1, 1, A), [0.5])

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("rumcli.atomic_io.write_text", refuse)
        yield made, plan


def test_disk_error_at_the_end_of_a_run_ends_no_other(full):
    made, plan = full
    one = files.run_of(plan, 1, 1, A)
    made.mark(one, RunResult(FAILED, "the loss is not finite"))
    assert made.mark_of(one) == RunResult(FAILED, "the loss is not finite")
    assert SweepFolder.open(made.path).mark_of(one) is None
    made.begin(one)
    assert made.mark_of(one) is None


def test_run_that_cannot_start_is_no_usage_error(full):
    made, plan = full
    with pytest.raises(RunError, match=r"can't write to .*point-1-seed-2: No space left"):
        made.begin(files.run_of(plan, 1, 2, A))
