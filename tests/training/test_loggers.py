"""Experiment loggers: their points, runs that resume, and no effect of errors on training."""

import csv
import importlib.util
import sys
import threading

import pytest

from rumcli.training import log_writers, loggers
from rumcli.training.listeners import Listener, RunInfo
from rumcli.training.run_dir import RunDir
from rumcli.training.trainer import train
from tests import small
from tests.cli.commands import assert_one_line, python, rum
from tests.sweeps.files import SMALL, write_sweep

SUMMARY = {
    "task": "copying",
    "steps": 40,
    "seconds": 2.5,
    "examples": 20,
    "loss": 0.25,
    "until_met": None,
    "beats_baseline": True,
    "baseline": {"value": 0.5},
}


class Warned(Listener):
    def __init__(self):
        self.warnings = []

    def warned(self, message):
        self.warnings.append(message)


class Log:
    """Stand-in for the writer of a library; may fail at some call."""

    def __init__(self, fails_at=None, error=None):
        self.calls, self.points = [], []
        self._fails_at, self._error = fails_at, error

    def __call__(self, run):
        self.run = run
        self._called("make")
        return self

    def log(self, points):
        self._called("log")
        self.points += points

    def close(self, finished):
        self._called("close")
        self.finished = finished

    def _called(self, name):
        self.calls.append(name)
        if name == self._fails_at:
            raise self._error


def new_run(path, *names, steps=40):
    return RunDir.create(path, small.run_config(steps=steps, train__loggers=list(names)))


def plan(first_step=0):
    return RunInfo("copying", "gru", 561, first_step, 40, "loss", "loss", None, None, "run")


def log(run_dir, until, first_step=0, listener=None):
    """Log the steps of a run, which finishes at step 40."""
    with loggers.attached(listener or Listener(), run_dir, run_dir.config) as each:
        each.started(plan(first_step))
        for step in range(first_step + 1, until + 1):
            each.stepped(step, {"loss": 1 / step})
            if step % 20 == 0:
                each.evaluated({"step": step, "loss": 9.0, "val_loss": 2 / step, "seconds": 1.0})
        if until == SUMMARY["steps"]:
            each.finished(SUMMARY)


@pytest.fixture
def put(monkeypatch):
    """Replace the writers of libraries by stand-ins."""

    def put(**logs):
        for name, made in logs.items():
            monkeypatch.setitem(log_writers.MAKERS, name, made)

    return put


def test_every_tenth_step_every_evaluation_and_the_test_are_logged(tmp_path, put):
    log_of = Log()
    put(wandb=log_of)
    log(new_run(tmp_path / "mine", "wandb"), 40)
    assert log_of.points == [
        (10, {"training/loss": 1 / 10}),
        (20, {"training/loss": 1 / 20}),
        (20, {"validation/loss": 2 / 20}),
        (30, {"training/loss": 1 / 30}),
        (40, {"training/loss": 1 / 40}),
        (40, {"validation/loss": 2 / 40}),
        (40, {"test/loss": 0.25, "test/baseline": 0.5}),
    ]
    assert log_of.finished
    assert (log_of.run.name, log_of.run.first_step) == ("mine", 0)
    expected = {"task.name": "copying", "task.delay": 4, "train.steps": 40, "parameters": 561}
    assert {key: log_of.run.settings[key] for key in expected} == expected


def test_parts_of_a_run_have_one_id_unless_it_starts_over(tmp_path, put):
    from rumcli.training import resume

    log_of = Log()
    put(wandb=log_of)
    run_dir = new_run(tmp_path / "run", "wandb")
    log(run_dir, 30)
    first = log_of.run.id
    assert not log_of.finished
    log(run_dir, 40, first_step=25)
    assert (log_of.run.id, log_of.run.first_step) == (first, 25)
    resume.start_over(run_dir)
    log(run_dir, 40)
    again = log_of.run.id
    assert again != first
    (run_dir.path / "loggers.json").write_text('{"id": "../../elsewhere"}')
    log(run_dir, 40)
    assert log_of.run.id not in (first, again, "../../elsewhere")


def test_a_run_of_a_set_is_named_after_both(tmp_path, put):
    log_of = Log()
    put(wandb=log_of)
    (tmp_path / "sweep-1").mkdir()
    (tmp_path / "sweep-1" / "sweep.yaml").touch()
    log(new_run(tmp_path / "sweep-1" / "0003", "wandb"), 40)
    assert log_of.run.name == "sweep-1/0003"


@pytest.mark.parametrize("moment", ["make", "log", "close"])
@pytest.mark.parametrize("error", [OSError("no space\nleft"), SystemExit("no space left")])
def test_an_error_is_reported_once_and_disables_only_its_logger(tmp_path, put, moment, error):
    failing, other, listener = Log(moment, error), Log(), Warned()
    put(wandb=failing, mlflow=other)
    log(new_run(tmp_path / "run", "wandb", "mlflow"), 40, listener=listener)
    expected = "logger wandb: no space left; the logger is disabled, and the run continues"
    assert listener.warnings == [expected]
    assert failing.calls.count(moment) == 1
    assert len(other.points) == 7
    assert other.finished


def test_a_server_that_does_not_answer_delays_only_the_end(tmp_path, put, monkeypatch):
    class Hanging(Log):
        def log(self, points):
            answer.wait()

    answer, listener = threading.Event(), Warned()
    put(wandb=Hanging())
    monkeypatch.setattr(loggers, "_CLOSE_TIMEOUT", 0.1)
    log(new_run(tmp_path / "run", "wandb"), 40, listener=listener)
    answer.set()
    (warning,) = listener.warnings
    assert warning.startswith(
        "logger wandb: some points were not written within 0 seconds; the logger is disabled"
    )


def test_an_id_that_cannot_be_written_disables_the_loggers(tmp_path, put):
    listener, log_of = Warned(), Log()
    put(wandb=log_of)
    run_dir = new_run(tmp_path / "run", "wandb")
    (run_dir.path / "loggers.json").mkdir()
    log(run_dir, 40, listener=listener)
    assert listener.warnings == ["no logger was started: Is a directory; the run continues"]
    assert log_of.calls == []


def test_output_of_libraries_is_discarded(tmp_path, put, capsys):
    class Printing(Log):
        def close(self, finished):
            sys.stdout.write("theirs")
            sys.stderr.write("theirs")

    class Prints(Listener):
        def finished(self, summary):
            sys.stdout.write("ours")
            sys.stderr.write("ours")

    put(wandb=Printing())
    before = sys.stdout, sys.stderr
    log(new_run(tmp_path / "run", "wandb"), 40, listener=Prints())
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("ours", "ours")


@pytest.mark.parametrize("name", loggers.PACKAGES)
@pytest.mark.usefixtures("_keras_is_not_started")
def test_a_missing_package_is_reported_before_the_run_starts(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, loggers.PACKAGES[name], None)
    expected = f"logger '{name}' needs the package {name}, which is not installed: pip install "
    result = rum("train", "copying", f"--logger={name.upper()}", cwd=tmp_path)
    assert_one_line(result, 2, f"{expected}'rumcli[{name}]'")
    write_sweep(tmp_path, set={**SMALL["set"], "train.loggers": [name]})
    assert_one_line(rum("sweep", "sweep.yaml", cwd=tmp_path), 2, expected)
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.usefixtures("_keras_is_not_started")
def test_an_unknown_logger_is_reported_with_the_known_ones(tmp_path):
    result = rum("train", "copying", "--logger=wnadb", cwd=tmp_path)
    assert_one_line(result, 2, "--logger wnadb: expected 'tensorboard', 'csv', 'mlflow', 'wandb' ")


def rows_of(run_dir):
    with (run_dir.path / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]


def test_csv_has_no_step_twice_after_a_resume(tmp_path):
    run_dir = new_run(tmp_path / "run", "csv")
    log(run_dir, 32)
    assert rows_of(run_dir) == [
        {"step": "10", "training/loss": "0.1"},
        {"step": "20", "training/loss": "0.05"},
        {"step": "20", "validation/loss": "0.1"},
        {"step": "30", "training/loss": str(1 / 30)},
    ]
    with (run_dir.path / "metrics.csv").open("a") as file:
        file.write("3")  # as left by a killed process
    log(run_dir, 40, first_step=25)
    assert [row["step"] for row in rows_of(run_dir)] == ["10", "20", "20", "30", "40", "40", "40"]
    assert rows_of(run_dir)[-1] == {"step": "40", "test/loss": "0.25", "test/baseline": "0.5"}


def test_real_run_logs_its_records(tmp_path):
    run_dir = new_run(tmp_path / "run", "csv", steps=20)
    summary = train(run_dir.config, run_dir, Listener())
    rows = rows_of(run_dir)
    validated = [float(row["validation/loss"]) for row in rows if "validation/loss" in row]
    assert validated == [record["val_loss"] for record in run_dir.records()]
    assert float(rows[-1]["test/loss"]) == summary["loss"]
    assert float(rows[-1]["test/baseline"]) == summary["baseline"]["value"]


def scalars(reading, run_dir, name):
    found = reading.EventAccumulator(str(run_dir)).Reload()
    return [(each.step, pytest.approx(each.value)) for each in found.Scalars(name)]


def test_tensorboard_shows_no_step_twice_after_a_resume(tmp_path):
    reading = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="the extra tensorboard is not installed",
    )
    run_dir = new_run(tmp_path / "run", "tensorboard")
    curves = run_dir.path / "tensorboard"
    log(run_dir, 32)
    assert [step for step, _ in scalars(reading, curves, "training/loss")] == [10, 20, 30]
    log(run_dir, 40, first_step=25)
    assert len(list(curves.iterdir())) == 2
    expected = [(10, 1 / 10), (20, 1 / 20), (30, 1 / 30), (40, 1 / 40)]
    assert scalars(reading, curves, "training/loss") == expected
    assert scalars(reading, curves, "validation/loss") == [(20, 0.1), (40, 0.05)]
    assert scalars(reading, curves, "test/loss") == [(40, 0.25)]
    found = reading.EventAccumulator(str(curves)).Reload()
    (text,) = found.Tensors("config")[-1].tensor_proto.string_val
    assert b"    task.delay: 4\n" in text


@pytest.mark.parametrize("name", ["tensorboard", "metrics.csv"])
def test_nothing_is_written_through_a_link(tmp_path, name):
    elsewhere, listener = tmp_path / "elsewhere", Warned()
    elsewhere.mkdir()
    logger = "csv" if name == "metrics.csv" else name
    pytest.importorskip(logger, reason="the extra tensorboard is not installed")
    run_dir = new_run(tmp_path / "run", logger)
    (run_dir.path / name).symlink_to(elsewhere)
    log(run_dir, 40, listener=listener)
    assert list(elsewhere.iterdir()) == []
    if logger == "tensorboard":
        assert "tensorboard is a link; the logger is disabled" in listener.warnings[0]


# A run that is interrupted at step 25, after its last checkpoint, and resumed.
TWO_PARTS = """
import sys
from pathlib import Path
from rumcli.training.listeners import Listener, RunInfo
from rumcli.training.run_dir import RunDir
from rumcli.training import loggers

class Prints(Listener):
    def warned(self, message):
        print(message)

summary = {"steps": 40, "loss": 0.25, "baseline": {"value": 0.5}}
def log(first_step, until):
    run_dir = RunDir.open(Path("run"))
    with loggers.attached(Prints(), run_dir, run_dir.config) as each:
        each.started(RunInfo("copying", "gru", 561, first_step, 40, "loss", "loss", None, None, ""))
        for step in range(first_step + 1, until + 1):
            each.stepped(step, {"loss": 1 / step})
        each.evaluated({"step": until, "val_loss": float("nan") if first_step == 0 else 0.5})
        if until == 40:
            each.finished(summary)
log(0, 32)
log(25, 40)
"""
READ_MLFLOW = """
from mlflow import MlflowClient
client = MlflowClient()
(found,) = client.search_runs([client.get_experiment_by_name("rum").experiment_id])
steps = {p.step: p.value for p in client.get_metric_history(found.info.run_id, "training/loss")}
assert steps == {10: 1 / 10, 20: 1 / 20, 30: 1 / 30, 40: 1 / 40}, steps
assert found.data.metrics["validation/loss"] == 0.5, found.data.metrics
assert found.data.metrics["test/loss"] == 0.25
assert found.data.metrics["test/baseline"] == 0.5
assert found.data.params["task.delay"] == "4", found.data.params
assert found.info.run_name == "run"
assert found.info.status == "FINISHED", found.info.status
"""
READ_WANDB = """
import json
from pathlib import Path
identity = json.loads(Path("run/loggers.json").read_text())["id"]
parts = sorted(Path("run/wandb").glob("offline-run-*"))
assert len(parts) == 2 and all(identity in part.name for part in parts), parts
for part in parts:
    content = (part / f"run-{identity}.wandb").read_bytes()
    for text in (b"task.delay", b"training/loss", b"validation/loss", b"0.0333"):
        assert text in content, text
assert sum(b"test/baseline" in file.read_bytes() for file in Path("run").rglob("*.wandb")) == 1
"""
READ_TRACKIO = """
import json, trackio
from pathlib import Path
identity = json.loads(Path("run/loggers.json").read_text())["id"]
(found,) = trackio.Api().runs("rum")
assert found.name == f"run-{identity}", found.name
assert found.config["task.delay"] == 4, found.config
from trackio.sqlite_storage import SQLiteStorage
logged = SQLiteStorage.get_logs("rum", found.name)
steps = {each["step"]: each["training/loss"] for each in logged if "training/loss" in each}
assert steps == {10: 1 / 10, 20: 1 / 20, 30: 1 / 30, 40: 1 / 40}, steps
assert [each["test/loss"] for each in logged if "test/loss" in each] == [0.25]
"""


@pytest.mark.parametrize(
    ("name", "read", "variables"),
    [
        # The file store is a directory; MLflow 3 requires this consent.
        (
            "mlflow",
            READ_MLFLOW,
            {"MLFLOW_TRACKING_URI": "mlruns", "MLFLOW_ALLOW_FILE_STORE": "true"},
        ),
        ("wandb", READ_WANDB, {"WANDB_MODE": "offline"}),
        ("trackio", READ_TRACKIO, {"TRACKIO_DIR": "trackio"}),
    ],
)
def test_resumed_run_continues_in_the_same_logged_run(tmp_path, name, read, variables):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"the extra {name} is not installed")
    new_run(tmp_path / "run", name)
    result = python(TWO_PARTS, cwd=tmp_path, env=variables)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    # In a separate process, because some libraries write until the process ends.
    result = python(read, cwd=tmp_path, env=variables)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("name", "variables", "expected"),
    [
        ("mlflow", {"MLFLOW_TRACKING_URI": "nowhere://x"}, "logger mlflow: "),
        ("wandb", {"WANDB_MODE": "online", "NETRC": "/nonexistent"}, "logger wandb: "),
    ],
)
def test_unconfigured_logger_is_disabled(tmp_path, name, variables, expected):
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"the extra {name} is not installed")
    new_run(tmp_path / "run", name)
    result = python(TWO_PARTS, cwd=tmp_path, env={"HOME": str(tmp_path), **variables})
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith(expected)
        assert line.endswith("; the logger is disabled, and the run continues")
