"""Worker processes of the backends, with a small script as the worker."""

import sys

import pytest

from rumcli.benchmark import workers
from rumcli.benchmark.cases import Case, Subject, Timing
from rumcli.benchmark.workers import BackendWorker
from rumcli.errors import ConfigError, RunError

TINY = Case(name="copying", steps=5, batch=4, features=10, units=6, classes=9)


class InOrder:
    """A worker whose samples count the rounds of all workers."""

    def __init__(self, backend, log):
        self.backend = backend
        self.log = log

    def prepare(self, case, chosen):
        self.log.append(("prepare", self.backend))
        return [Timing(one, self.backend, parameters=1, first_step=1.0) for one in chosen]

    def round(self):
        self.log.append(("round", self.backend))
        return [float(len(self.log)), None if len(self.log) > 4 else 9.0]


def test_every_round_visits_all_backends_after_all_are_prepared():
    log = []
    subjects = [Subject("rum", "rum"), Subject("gru", "gru")]
    reported = []
    found = workers.measure_backends(
        TINY,
        [InOrder("jax", log), InOrder("torch", log)],
        {"jax": subjects, "torch": subjects},
        rounds=2,
        report=reported.append,
    )
    steps = ["prepare", "round", "round"]
    assert log == [(step, on) for step in steps for on in ("jax", "torch")]
    assert [(t.backend, t.subject.label) for t in found] == [
        *(("jax", "rum"), ("jax", "gru"), ("torch", "rum"), ("torch", "gru"))
    ]
    # A subject past its time limit keeps its samples.
    assert [t.samples for t in found] == [[3.0, 5.0], [9.0], [4.0, 6.0], [9.0]]
    assert reported[-1] == "copying: round 2 of 2 on torch"


@pytest.fixture
def start(monkeypatch):
    """Start a worker whose process runs a script; it is closed after the test."""
    started = []

    def start(script, report=lambda text: None):
        monkeypatch.setattr(workers, "_COMMAND", [sys.executable, "-S", "-c", script])
        started.append(BackendWorker("jax", is_alone=False, report=report, debug=False))
        return started[-1]

    yield start
    for worker in started:
        worker.close()
        assert worker._process.returncode is not None


def test_worker_sends_requests_and_forwards_the_status(start):
    script = """
import json, os, sys
for line in sys.stdin:
    print(json.dumps({"status": "under way"}), flush=True)
    request = json.loads(line)
    result = [request, os.environ["KERAS_BACKEND"], os.environ["TF_FORCE_GPU_ALLOW_GROWTH"]]
    print(json.dumps({"result": result}), flush=True)
"""
    reported = []
    worker = start(script, reported.append)
    assert worker.machine() == [{"request": "machine"}, "jax", "true"]
    pace = {"request": "pace", "task": "recall", "cell": "rum", "rounds": 3}
    assert worker.pace("recall", "rum", 3)[0] == pace
    assert reported == ["under way on jax", "under way on jax"]


FAILED = "measuring on the backend 'jax' failed: "


@pytest.mark.parametrize(
    ("script", "error", "expected"),
    [
        ('print(\'{"error": "no JAX", "usage": true}\')', ConfigError, "no JAX"),
        ('print(\'{"error": "broken", "usage": false}\')', RunError, f"{FAILED}broken"),
        ("import sys; sys.exit('a cause')", RunError, f"{FAILED}a cause"),
        ("raise SystemExit(3)", RunError, f"{FAILED}its process ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 15)", RunError, f"{FAILED}its process ended with signal"),
        ("import os; os.kill(os.getpid(), 9)", RunError, f"{FAILED}its process was killed, as by"),
    ],
)
def test_failed_worker_is_reported_with_the_cause(start, script, error, expected):
    with pytest.raises(error) as caught:
        start(script).machine()
    assert str(caught.value).startswith(expected)
