"""Steps with a non-finite loss or gradient in real runs: one batch has a bad sample weight."""

import json

import numpy as np
import pytest

from rumcli.errors import RunError
from rumcli.tasks.copying.task import Copying
from rumcli.training.checkpoint import load
from rumcli.training.run_dir import RunDir
from rumcli.training.trainer import train
from tests import small
from tests.runs import read_records
from tests.training.test_trainer import Recorder


@pytest.fixture
def bad_steps(monkeypatch):
    """Return a dictionary from the index of a batch to the sample weight of its examples."""
    weights = {}
    plain = Copying.training_batch

    def weighted(self, step):
        inputs, targets = plain(self, step)
        return inputs, targets, np.full(targets.shape, weights.get(step, 1.0), "float32")

    monkeypatch.setattr(Copying, "training_batch", weighted)
    return weights


def begin(place, *settings, steps=20):
    run = small.run_config(steps=steps, settings=settings)
    return run, RunDir.create(place, run), Recorder()


@pytest.mark.parametrize(
    ("weight", "what"),
    # The last value is finite; the square of its gradient norm is not.
    [(np.nan, "loss"), (1e30, "gradient")],
)
def test_non_finite_step_ends_the_run_with_a_full_report(tmp_path, bad_steps, weight, what):
    bad_steps[12] = weight
    run, run_dir, recorder = begin(tmp_path / "run")
    with pytest.raises(RunError) as error:
        train(run, run_dir, recorder)
    assert f"the {what} of step 13 (seed 1) is not finite" in str(error.value)
    assert "the last checkpoint is from step 10" in str(error.value)
    assert "train.on_non_finite=skip" in str(error.value)
    (line,) = (tmp_path / "run/not_finite.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert (found["step"], found["seed"]) == (13, 1)
    assert any(path.endswith("logits/kernel") for path in found["gradient_norms"])
    assert {"nan", "inf"} & set(map(str, found["gradient_norms"].values()))
    # The last good checkpoint is unaffected by the bad step.
    checkpoint = load(run_dir.checkpoints.numbered()[0])
    assert checkpoint.step == 10
    assert all(np.isfinite(array).all() for array in checkpoint.arrays.values())


@pytest.mark.e2e
def test_run_resumes_before_a_non_finite_step(tmp_path, bad_steps):
    bad_steps[12] = np.nan
    run, run_dir, recorder = begin(tmp_path / "run")
    with pytest.raises(RunError):
        train(run, run_dir, recorder)
    bad_steps.clear()
    train(run, run_dir, Recorder())
    whole_run, whole, _ = begin(tmp_path / "whole")
    train(whole_run, whole, Recorder())
    assert read_records(run_dir.path) == read_records(whole.path)
    assert not run_dir.records("not_finite.jsonl")


@pytest.mark.parametrize("first", [pytest.param(5, marks=pytest.mark.slow), 10])
def test_skipped_step_changes_neither_weights_nor_means(tmp_path, bad_steps, first):
    # One more than may be skipped in a row: the finite step between them resets the count.
    weights = {0: np.nan, 1: np.inf, 2: 1e30, 4: np.nan}
    bad_steps.update({first + number: weight for number, weight in weights.items()})
    run, run_dir, recorder = begin(
        tmp_path / "run", "train.on_non_finite=skip", "train.max_consecutive_skips=3"
    )
    summary = train(run, run_dir, recorder)
    assert summary["skipped_steps"] == 4
    assert len(recorder.warnings) == 4
    skipped = {first + number + 1 for number in weights}
    assert set(recorder.losses) == set(range(1, 21)) - skipped
    assert [r["step"] for r in run_dir.records("not_finite.jsonl")] == sorted(skipped)
    for record in run_dir.records():
        span = [s for s in range(record["step"] - 9, record["step"] + 1) if s not in skipped]
        mean = np.mean([recorder.losses[step] for step in span])
        assert record["loss"] == pytest.approx(mean, rel=1e-5)
    arrays = load(run_dir.checkpoints.numbered()[0]).arrays
    assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.mark.e2e
def test_skipped_step_equals_a_run_without_its_batch(tmp_path, bad_steps):
    # Given a run whose last of 20 steps is skipped,
    bad_steps[19] = np.nan
    settings = ["train.on_non_finite=skip", "train.eval_every=20"]
    run, run_dir, _ = begin(tmp_path / "run", *settings)
    train(run, run_dir, Recorder())
    # its weights are those of the same run after 19 steps.
    shorter, other, _ = begin(tmp_path / "shorter", *settings, steps=19)
    train(shorter, other, Recorder())
    one, two = (load(f.checkpoints.numbered()[0]).arrays for f in (run_dir, other))
    names = [n for n in one if not n.startswith("metrics") and "gradient_norms" not in n]
    assert [name for name in names if not np.array_equal(one[name], two[name])] == []


def test_too_many_consecutive_non_finite_steps_end_the_run(tmp_path, bad_steps):
    bad_steps.update(dict.fromkeys(range(3, 8), np.nan))
    run, run_dir, recorder = begin(
        tmp_path / "run", "train.on_non_finite=skip", "train.max_consecutive_skips=4"
    )
    with pytest.raises(
        RunError,
        match=r"step 8 .* after 4 consecutive skipped steps; .* train.max_consecutive_skips=4",
    ):
        train(run, run_dir, recorder)
    # A resumed run counts the previous ones.
    with pytest.raises(RunError, match="step 8"):
        train(run, run_dir, recorder)


@pytest.mark.slow
def test_last_finite_checkpoint_survives_skipped_steps(tmp_path, bad_steps):
    bad_steps.update(dict.fromkeys(range(8, 13), np.nan))  # including an evaluation
    settings = [
        "train.on_non_finite=skip",
        "train.max_consecutive_skips=4",
        "train.checkpoint_every=1",
    ]
    run, run_dir, recorder = begin(tmp_path / "run", *settings)
    with pytest.raises(RunError, match="the last checkpoint is from step 8"):
        train(run, run_dir, recorder)
    assert [load(path).step for path in run_dir.checkpoints.numbered()] == [8, 7]
    bad_steps.clear()
    train(run, run_dir, Recorder())
    whole_run, whole, _ = begin(tmp_path / "whole", *settings)
    train(whole_run, whole, Recorder())
    assert read_records(run_dir.path) == read_records(whole.path)
