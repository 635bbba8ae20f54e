"""Resume points of runs with small checkpoints; no model is built."""

import shutil

import numpy as np
import pytest

from rumcli.errors import RunError
from rumcli.training import resume
from rumcli.training.checkpoint import Checkpoint
from rumcli.training.evaluation import load_checkpoint
from rumcli.training.run_dir import RunDir
from tests import small
from tests.cli.commands import assert_one_line, rum


def checkpoint(run_dir, step):
    progress = {"seconds": 1.0, "best": {"step": step, "value": 0.5}}
    return Checkpoint(step, {"model/a": np.zeros(3)}, progress, run_dir.back_up_records())


@pytest.fixture
def make_run(tmp_path):
    """Return a factory of runs with evaluations and checkpoints at given steps."""

    def make(recorded=(), best=None, saved=()):
        run_dir = RunDir.create(tmp_path / "run", small.run_config(steps=100))
        for step in recorded:
            run_dir.append_record({"step": step, "val_loss": 1.0})
        if best is not None:
            run_dir.checkpoints.save_best(checkpoint(run_dir, best))
        for step in saved:
            run_dir.save(checkpoint(run_dir, step), keep=2)
        return RunDir.open(run_dir.path)

    return make


def delete_all(run_dir):
    shutil.rmtree(run_dir.checkpoints.path)


def delete_numbered(run_dir):
    for path in run_dir.checkpoints.numbered():
        path.unlink()


def content(run_dir):
    return {path: path.read_bytes() for path in run_dir.path.rglob("*") if path.is_file()}


GONE = {
    "all": ({"recorded": (10, 20), "best": 10, "saved": (15, 20)}, delete_all, 20),
    "all but the best": ({"recorded": (10, 20), "best": 10, "saved": (20,)}, delete_numbered, 20),
    "all, before an evaluation": ({"saved": (5,)}, delete_all, 5),
    "all, after one evaluation": ({"recorded": (10,), "best": 10, "saved": (15,)}, delete_all, 15),
    "the best, before a regular one": ({"recorded": (10, 20), "best": 10}, delete_all, 20),
}


@pytest.mark.parametrize(("had", "delete", "latest"), GONE.values(), ids=GONE)
def test_run_without_checkpoints_is_rejected_and_unchanged(make_run, had, delete, latest):
    # given
    run_dir = make_run(**had)
    delete(run_dir)
    before = content(run_dir)

    # when
    with pytest.raises(RunError) as caught:
        resume.load(run_dir)

    # then
    message = str(caught.value)
    assert f"{run_dir.checkpoints.path}/step-*.npz are missing" in message
    assert f"the run had reached step {latest}" in message
    assert f"rum train --resume {run_dir.path} --from-scratch" in message
    assert f"rum train --preset {run_dir.path}/config.yaml" in message
    assert ("only best.npz exists" in message) == run_dir.checkpoints.has_best
    with pytest.raises(RunError, match=r"step-\*\.npz is missing; restore it"):
        load_checkpoint(run_dir, "last")
    assert content(run_dir) == before


@pytest.mark.parametrize("recorded", [(), (10,)], ids=["at once", "as it saved for the first time"])
def test_run_interrupted_before_any_checkpoint_restarts(make_run, recorded):
    run_dir = make_run(recorded)
    found, warnings = resume.load(run_dir)
    assert found is None
    assert len(warnings) == len(recorded)


def test_run_interrupted_before_a_numbered_checkpoint_continues_from_its_best(make_run):
    run_dir = make_run((10, 20, 30), best=20)
    found, warnings = resume.load(run_dir)
    assert found.step == 20
    assert "it resumes from best.npz (step 20)" in warnings[0]


def test_damaged_best_checkpoint_cannot_be_resumed(make_run):
    run_dir = make_run((10,), best=10)
    (run_dir.checkpoints.path / "best.npz").write_bytes(b"")
    with pytest.raises(
        RunError, match=r"best.npz is damaged .*the run has no other checkpoint; restore"
    ):
        resume.load(run_dir)


def test_missing_best_checkpoint_is_reported_as_lost(make_run):
    run_dir = make_run((10,), best=10, saved=(10,))
    (run_dir.checkpoints.path / "best.npz").unlink()
    with pytest.raises(RunError, match=r"has lost its best\.npz; try --checkpoint last"):
        load_checkpoint(run_dir, "best")
    assert load_checkpoint(run_dir, "last").step == 10


@pytest.mark.usefixtures("_keras_is_not_started")
def test_missing_checkpoints_are_reported_before_keras_is_imported(make_run):
    run_dir = make_run((10, 20), best=10, saved=(20,))
    delete_all(run_dir)
    result = rum("train", "--resume=run", cwd=run_dir.path.parent)
    assert_one_line(result, 1, "run/checkpoints/step-*.npz are missing")


@pytest.mark.usefixtures("_keras_is_not_started")
def test_from_scratch_deletes_results_and_keeps_the_configuration(make_run):
    run_dir = make_run((10, 20), best=10, saved=(15, 20))
    result = rum("train", "--resume=run", "--from-scratch", cwd=run_dir.path.parent)
    assert result.returncode == 2  # where Keras would be started
    assert {path.name for path in content(run_dir)} == {"config.yaml"}


@pytest.mark.usefixtures("_keras_is_not_started")
def test_from_scratch_needs_resume(tmp_path):
    result = rum("train", "copying", "--from-scratch", cwd=tmp_path)
    assert_one_line(result, 2, "--from-scratch requires --resume")


@pytest.mark.usefixtures("_keras_is_not_started")
@pytest.mark.parametrize("option", ["--out=run", "--resume=run"])
def test_run_killed_during_creation_can_be_started_with_its_task(tmp_path, option):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".config.yaml.17.part").write_text("task: {na")
    result = rum("train", "copying", option, cwd=tmp_path)
    assert_one_line(result, 2, "here Keras would be started")
    (tmp_path / "run").mkdir(exist_ok=True)
    (tmp_path / "run" / ".config.yaml.17.part").write_text("task: {na")
    result = rum("train", "--resume=run", cwd=tmp_path)
    assert_one_line(result, 2, "to start the run there: rum train TASK --out run")
