import json
import math

import numpy as np
import pytest

from rumcli.errors import RunError
from rumcli.signals import StopRequest
from rumcli.training.callback import RunStopped
from rumcli.training.checkpoint import load
from rumcli.training.evaluation import evaluate_run
from rumcli.training.listeners import Listener
from rumcli.training.run_dir import RunDir
from rumcli.training.run_environment import supports_dtype
from rumcli.training.trainer import Part, _parts, train
from tests import small
from tests.runs import read_records

RANDOM = ["model.dropout=0.2"]
ZONEOUT = ["cell.zoneout=0.2"]


class Recorder(Listener):
    """Records the loss of every step, and calls a function at one of them."""

    def __init__(self, action=None):
        self.losses = {}
        self.warnings = []
        self._action = action or (lambda step: None)

    def stepped(self, step, logs):
        self.losses[step] = logs["loss"]
        self._action(step)

    def warned(self, message):
        self.warnings.append(message)


def of_task(task, place, **settings):
    """Return a small configuration, with a text for tasks that read one."""
    if task == "ptb":
        settings["task__data"] = str(small.write_text(place / "text"))
    return small.run_config(task, **settings)


def last_arrays(run_dir):
    return load(run_dir.checkpoints.numbered()[0]).arrays


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a function that trains each case once: its directory, recorder and summary.

    Tests share the runs and do not change them.
    """
    made = {}

    def train_once(task, **settings):
        case = task, repr(settings)
        if case not in made:
            place = tmp_path_factory.mktemp(task)
            run = of_task(task, place, **settings)
            folder, recorder = RunDir.create(place / "run", run), Recorder()
            made[case] = folder, recorder, train(run, folder, recorder)
        return made[case]

    return train_once


# Long enough for the loss to fall, and with a last span shorter than the others.
LEARNING = {
    task: {"steps": steps, "optimizer__learning_rate": 0.01}
    for task, steps in (("copying", 65), ("recall", 25), ("ptb", 25))
}
WITH_DROPOUT = {"cell": "gru", "steps": 30, "settings": RANDOM}


@pytest.mark.parametrize(
    ("step", "last", "every", "expected"),
    [
        (0, 100, 50, [Part(0, 50, 2)]),
        (0, 120, 50, [Part(0, 50, 2), Part(100, 20, 1)]),
        (30, 120, 50, [Part(30, 20, 1), Part(50, 50, 1), Part(100, 20, 1)]),
        (30, 40, 50, [Part(30, 10, 1)]),
        (0, 20, 50, [Part(0, 20, 1)]),
        (100, 100, 50, []),
        (100, 110, 50, [Part(100, 10, 1)]),
    ],
)
def test_steps_are_split_at_the_evaluations(step, last, every, expected):
    assert list(_parts(step, last, every)) == expected


@pytest.mark.parametrize(("task", "settings"), LEARNING.items(), ids=LEARNING)
def test_run_writes_its_record(finished, task, settings):
    run_dir, recorder, summary = finished(task, **settings)
    steps = settings["steps"]
    assert sorted(recorder.losses) == list(range(1, steps + 1))
    assert [record["step"] for record in run_dir.records()] == [*range(10, steps, 10), steps]
    assert json.loads((run_dir.path / "summary.json").read_text()) == summary
    assert json.loads((run_dir.path / "environment.json").read_text())["keras"]
    assert run_dir.config == of_task(task, run_dir.path.parent, **settings)
    # The mean over a span is that of its steps.
    first = np.mean([recorder.losses[step] for step in range(1, 11)])
    assert run_dir.records()[0]["loss"] == pytest.approx(first, rel=1e-4)


def test_the_loss_falls(finished):
    _, recorder, _ = finished("copying", **LEARNING["copying"])
    assert recorder.losses[60] < 0.7 * recorder.losses[1]


@pytest.mark.parametrize("task", [pytest.param("copying", marks=pytest.mark.slow), "ptb"])
def test_summary_uses_the_best_weights(finished, task):
    run_dir, _, summary = finished(task, **LEARNING[task])
    losses = {record["step"]: record["val_loss"] for record in run_dir.records()}
    assert summary["weights_of_step"] == min(losses, key=losses.get)
    again = evaluate_run(run_dir, "validation", "best")
    assert again["loss"] == pytest.approx(min(losses.values()), rel=1e-6)
    assert evaluate_run(run_dir, "test", "best")["loss"] == pytest.approx(summary["loss"], rel=1e-6)


@pytest.mark.parametrize(
    ("task", "cell", "stop_at", "saved_at"),
    [  # steps are reported before they are saved
        ("copying", "gru", 13, 10),
        pytest.param("copying", "rum", 15, 10, marks=pytest.mark.slow),
        pytest.param("copying", "arum", 16, 15, marks=pytest.mark.slow),
        # An epoch of the text has 14 steps: this is in the middle of the second one.
        pytest.param("ptb", "gru", 23, 20, marks=pytest.mark.slow),
        pytest.param("ptb", "rum", 26, 25, marks=pytest.mark.slow),
    ],
)
def test_aborted_run_resumes_bit_exactly(finished, tmp_path, task, cell, stop_at, saved_at):
    settings = RANDOM if cell == "gru" else RANDOM + ZONEOUT
    whole, _, _ = finished(task, **{**WITH_DROPOUT, "cell": cell, "settings": settings})
    run = whole.config

    class BrokenOffError(Exception):
        pass

    def break_off(step):
        if step == stop_at:
            raise BrokenOffError

    run_dir = RunDir.create(tmp_path / "broken", run)
    with pytest.raises(BrokenOffError):
        train(run, run_dir, Recorder(break_off))
    resumed = Recorder()
    train(run, run_dir, resumed)
    assert sorted(resumed.losses) == list(range(saved_at + 1, 31))
    assert read_records(run_dir.path) == read_records(whole.path)
    assert [
        k for k, v in last_arrays(whole).items() if not np.array_equal(v, last_arrays(run_dir)[k])
    ] == []


@pytest.mark.e2e
def test_run_with_a_damaged_checkpoint_resumes_from_the_previous_one(finished, tmp_path):
    whole, _, _ = finished("copying", **WITH_DROPOUT)
    run = whole.config
    run_dir = RunDir.create(tmp_path / "damaged", run)
    train(run, run_dir, Listener())
    run_dir.checkpoints.numbered()[0].write_bytes(b"rubbish")
    recorder = Recorder()
    train(run, run_dir, recorder)
    assert "is damaged" in recorder.warnings[0]
    assert min(recorder.losses) == 26
    assert read_records(run_dir.path) == read_records(whole.path)


def test_extended_run_matches_an_initially_long_run(finished, tmp_path):
    whole, _, _ = finished("copying", **WITH_DROPOUT)
    short = of_task("copying", tmp_path, **{**WITH_DROPOUT, "steps": 20})
    run_dir = RunDir.create(tmp_path / "extended", short)
    train(short, run_dir, Listener())
    train(whole.config, run_dir, Listener())
    assert read_records(run_dir.path) == read_records(whole.path)


@pytest.mark.e2e
def test_extended_run_has_the_same_weights_for_any_earlier_end(tmp_path):
    short, long = (small.run_config("recall", "gru", steps=steps) for steps in (13, 20))
    whole = RunDir.create(tmp_path / "whole", long)
    train(long, whole, Listener())
    run_dir = RunDir.create(tmp_path / "extended", short)
    train(short, run_dir, Listener())
    train(long, run_dir, Listener())
    expected, found = last_arrays(whole), last_arrays(run_dir)
    assert [name for name in expected if not np.array_equal(expected[name], found[name])] == []
    assert [record["step"] for record in run_dir.records()] == [10, 13, 20]


@pytest.mark.parametrize("moment", ["stepped", "evaluated"])
def test_stop_request_saves_at_any_step(tmp_path, moment):
    run = small.run_config(steps=30, settings=["train.eval_every=7", "train.checkpoint_every=100"])
    run_dir, request = RunDir.create(tmp_path, run), StopRequest()
    listener = Listener()

    def ask(*_):
        request.signal = 15

    setattr(listener, moment, ask)
    with pytest.raises(RunStopped) as caught:
        train(run, run_dir, listener, request)
    assert caught.value.step == {"stepped": 1, "evaluated": 7}[moment]
    assert run_dir.checkpoints.load_newest()[0].step == caught.value.step


def test_early_stop_request_is_handled_before_the_first_step(tmp_path):
    run, request = small.run_config(), StopRequest()
    request.signal = 2
    with pytest.raises(RunStopped) as caught:
        train(run, RunDir.create(tmp_path, run), Listener(), request)
    assert caught.value.step == 0


@pytest.mark.e2e
def test_environment_of_every_session_is_kept(tmp_path):
    run_dir = RunDir.create(tmp_path, small.run_config(steps=10))
    for steps in (10, 20):
        train(small.run_config(steps=steps), run_dir, Listener())
    environment = run_dir.read_json("environment.json")
    assert environment["seed"] == 1
    assert [part["keras"] for part in environment["resumed"]] == [environment["keras"]]


def test_non_finite_loss_ends_the_run_in_one_line(tmp_path):
    run = small.run_config(steps=40, optimizer__learning_rate=1e38)
    run_dir = RunDir.create(tmp_path, run)
    with pytest.raises(RunError, match=r"of step \d+ \(seed 1\) is not finite; .*try a smaller"):
        train(run, run_dir, Listener())
    newest, _ = run_dir.checkpoints.load_newest()
    assert newest is None or math.isfinite(newest.progress["best"]["value"])


def test_best_checkpoint_is_tested_or_a_warning_is_given(tmp_path):
    run = small.run_config(steps=10)
    run_dir = RunDir.create(tmp_path, run)
    train(run, run_dir, Listener())
    (tmp_path / "checkpoints" / "best.npz").write_bytes(b"rubbish")
    recorder = Recorder()
    summary = train(run, run_dir, recorder)
    assert "the last weights are tested instead" in recorder.warnings[0]
    assert summary["weights_of_step"] == 10


@pytest.mark.e2e
def test_text_windows_use_the_fused_loop_compiled_once(tmp_path):
    program = pytest.importorskip("rumcli.cells.fused.tensorflow_custom_gradient")
    settings = ["cell.implementation=auto", "task.eval_batch_size=16"]
    run = of_task("ptb", tmp_path, cell="rum", steps=30, settings=settings)
    traces = {0: program.traces()}
    recorder = Recorder(lambda step: traces.update({step: program.traces()}))
    train(run, RunDir.create(tmp_path / "run", run), recorder)
    # Forwards, backwards and the gradient of the symbols' vectors; forwards for evaluations.
    assert traces[1] - traces[0] == 3
    assert traces[11] - traces[1] == 1
    assert program.traces() == traces[11]


@pytest.mark.e2e
def test_runs_of_one_seed_are_identical(tmp_path):
    run = small.run_config("recall", "lstm", settings=["cell.dropout=0.2"])
    run_dirs = [RunDir.create(tmp_path / name, run) for name in "ab"]
    for run_dir in run_dirs:
        train(run, run_dir, Listener())
    assert read_records(run_dirs[0].path) == read_records(run_dirs[1].path)


@pytest.mark.parametrize(
    "precision",
    [
        "float64",
        pytest.param("mixed_bfloat16", marks=pytest.mark.slow),
        pytest.param("mixed_float16", marks=pytest.mark.slow),
    ],
)
def test_run_has_the_requested_precision(tmp_path, precision):
    if precision == "float64" and not supports_dtype("float64"):
        pytest.skip("this backend does not compute in float64")
    run = small.run_config(steps=10, settings=[f"precision={precision}"])
    run_dir = RunDir.create(tmp_path, run)
    summary = train(run, run_dir, Listener())
    dtype = "float64" if precision == "float64" else "float32"
    kernel = next(v for k, v in last_arrays(run_dir).items() if k.endswith("recurrent_kernel"))
    assert kernel.dtype == dtype
    assert math.isfinite(summary["loss"])
    # The precision of the process must be restored.
    train(small.run_config(steps=1), RunDir.create(tmp_path / "after", run), Listener())
