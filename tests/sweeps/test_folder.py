import errno

import pytest

from rumcli.errors import ConfigError, RunError
from rumcli.sweeps import plan as plans
from rumcli.sweeps.folder import FAILED, Mark, SweepFolder

from . import files


def test_a_folder_that_cannot_be_written_whole_is_taken_back(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    plan = plans.read(files.write(tmp_path))
    monkeypatch.setattr(SweepFolder, "write_description", refuse)
    with pytest.raises(ConfigError, match=r"can't write to .*out: No space left on device"):
        SweepFolder.create(tmp_path / "out", "sweep", plan)
    assert not (tmp_path / "out").exists()


A = {"optimizer.learning_rate": 0.01}


@pytest.fixture
def full(tmp_path, monkeypatch):
    """A sweep with a run under way, and nothing more to be written."""
    made, plan = files.sweep(tmp_path, [A])
    files.give(made, plan, files.run(1, 1, A), [0.5])

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("rumcli.files.write_text", refuse)
        yield made, plan


def test_what_the_disk_does_not_take_of_a_run_s_end_ends_no_other(full):
    made, plan = full
    one = files.run(1, 1, A)
    made.mark(one, FAILED, "the loss is not finite")
    assert made.mark_of(one) == Mark(FAILED, "the loss is not finite")
    assert SweepFolder.open(made.path).mark_of(one) is None
    made.begin(one, plan)
    assert made.mark_of(one) is None


def test_a_run_that_cannot_be_begun_is_no_wrong_usage(full):
    made, plan = full
    with pytest.raises(RunError, match=r"can't write to .*point-1-seed-2: No space left"):
        made.begin(files.run(1, 2, A), plan)
