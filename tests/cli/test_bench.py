"""The process that measures for `rum bench`, without the process."""

import dataclasses
import importlib.util
import json
from typing import ClassVar

import keras
import pytest

from rumcli.benchmark import workers
from rumcli.benchmark.cases import Case, Subject, Timing
from rumcli.cli import bench
from rumcli.errors import RunError
from tests.cli.commands import assert_one_line, rum, rum_process
from tests.documents import validated

TINY = Case(
    name="copying", steps=2, batch=2, features=3, units=2, classes=2, return_sequences=False
)


@pytest.mark.slow
def test_bench_prints_one_document(tmp_path):
    arguments = ["--task=recall", "--cell=rum", "--rounds=1", "--no-memory", "--plot=x.png"]
    result = rum("bench", *arguments, "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    content = validated(result.stdout, "bench")
    (case,) = content["cases"]
    assert [r["subject"] for r in case["results"]] == ["rum", "rum, plain", "gru", "gru, jit"]
    assert min(r["ratio"] for r in case["results"] if r["cell"] == "gru") == 1.0
    assert content["series"] == content["training"] == []
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert result.stderr.splitlines()[-1] == "wrote x.png"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--task copyin", "--task copyin: unknown task 'copyin'; did you mean 'copying'?"),
        ("--cell rumm", "--cell rumm: unknown cell 'rumm'; did you mean 'rum'?"),
        ("--backend jaxx", "--backend jaxx: unknown backend 'jaxx'; did you mean 'jax'?"),
        ("--rounds 0", "--rounds 0: expected at least 1"),
        ("--plot x.gif", "--plot x.gif: expected a name that ends in .png, .svg, .pdf"),
        ("--plot there.png", "there.png exists; choose another name, or --force"),
        ("--plot no/x.png", "can't write no/x.png: No such file or directory"),
    ],
)
def test_usage_error_is_reported_before_measuring(tmp_path, arguments, expected):
    (tmp_path / "there.png").write_bytes(b"mine")
    assert_one_line(rum("bench", *arguments.split(), cwd=tmp_path), 2, expected)
    assert (tmp_path / "there.png").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--backend jax", "backend 'jax' needs the package jax, which is not installed: pip "),
        ("--backend torch --backend tensorflow --series", "--series measures one backend; "),
        ("--backend torch --training", "--training measures TensorFlow only; expected --backend "),
    ],
)
def test_backends_are_checked_before_any_is_started(tmp_path, monkeypatch, arguments, expected):
    found = {"jax": None}  # the others are installed
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found.get(name, name))
    monkeypatch.setattr(workers, "BackendWorker", None)
    assert_one_line(rum("bench", *arguments.split(), cwd=tmp_path), 2, expected)


class Measured:
    """A backend without a process: JAX takes twice the time of TensorFlow."""

    closed: ClassVar = []

    def __init__(self, backend, is_alone, report, debug):
        self.backend = backend
        self._seconds = {"tensorflow": 0.01, "jax": 0.02}[backend]

    def machine(self):
        facts = {"processor": "a", "cores": 2, "accelerators": [], "platform": "b", "python": "c"}
        return {**facts, "backend": self.backend, "keras": "3", self.backend: "1.0"}

    def prepare(self, case, chosen):
        self._chosen = chosen
        return [Timing(one, self.backend, parameters=1, first_step=1.0) for one in chosen]

    def round(self):
        return [self._seconds * (1 + n) for n in range(len(self._chosen))]

    def close(self):
        self.closed.append(self.backend)


@pytest.fixture
def fake_backends(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(workers, "BackendWorker", Measured)
    monkeypatch.setattr(Measured, "closed", [])


BOTH = ["--backend=tensorflow", "--backend=jax", "--backend=jax", "--task=recall", "--cell=rum"]


def test_backends_are_compared_in_one_document(tmp_path, fake_backends):
    result = rum("bench", *BOTH, "--rounds=2", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    content = validated(result.stdout, "bench")
    assert [one["backend"] for one in content["backends"]] == ["tensorflow", "jax"]
    (case,) = content["cases"]
    assert case["references"] == {"tensorflow": "gru", "jax": "gru"}
    of_jax = [r for r in case["results"] if r["backend"] == "jax"]
    assert [r["subject"] for r in of_jax] == ["rum", "rum, plain", "gru"]
    assert of_jax[0]["ratio"] == pytest.approx(1 / 3)
    assert of_jax[0]["reference_ratio"] == pytest.approx(2 / 3)
    assert len(of_jax[0]["samples_seconds"]) == 2
    assert content["series"] == content["training"] == []
    assert sorted(Measured.closed) == ["jax", "tensorflow"]


def test_backends_are_compared_in_one_table(tmp_path, fake_backends):
    result = rum("bench", *BOTH, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    rows = [line for line in result.stdout.splitlines() if line.startswith("│ rum  ")]
    assert [row.split("│")[2].strip() for row in rows] == ["tensorflow", "jax"]


def test_failed_backend_ends_the_command_and_the_other_backends(
    tmp_path, fake_backends, monkeypatch
):
    def fail(self):
        raise RunError("measuring on the backend 'jax' failed: its process was killed")

    monkeypatch.setattr(Measured, "round", fail)
    result = rum("bench", *BOTH, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("rum: error: measuring on the backend 'jax'")
    assert sorted(Measured.closed) == ["jax", "tensorflow"]


@pytest.mark.e2e
def test_processes_of_two_backends_are_compared(tmp_path):
    pytest.importorskip("tensorflow")
    pytest.importorskip("jax")
    two = ["--backend=jax", "--backend=tensorflow", "--task=recall", "--cell=gru", "--rounds=1"]
    result = rum_process("bench", *two, "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    (case,) = validated(result.stdout, "bench")["cases"]
    assert [(r["backend"], r["subject"]) for r in case["results"]] == [
        *(("jax", "gru"), ("tensorflow", "gru"), ("tensorflow", "gru, jit"))
    ]
    assert case["results"][0]["reference_ratio"] == case["results"][0]["ratio"] == 1.0


def served(*requests, debug=False):
    replies = []
    bench.serve(map(json.dumps, requests), replies.append, debug)
    return replies


def preparation(cell):
    jit = False if keras.backend.backend() == "tensorflow" else None
    subject = dataclasses.asdict(Subject(cell, cell, {}, jit))
    return {"request": "prepare", "case": TINY.model_dump(), "subjects": [subject]}


def test_worker_describes_its_machine_and_measures_round_by_round():
    machine, status, prepared, first, second = served(
        {"request": "machine"}, preparation("rnn"), {"request": "round"}, {"request": "round"}
    )
    assert machine["result"]["backend"] == keras.backend.backend()
    assert status == {"status": "copying: preparing rnn"}
    ((timing,),) = [prepared["result"]]
    assert timing["parameters"] == 3 * 2 + 2 * 2 + 2 + 2 * 2 + 2
    for reply in (first, second):
        (sample,) = reply["result"]
        assert 0 < sample < timing["first_step"]


def test_failed_measurement_is_the_last_reply(capfd):
    *_, error = served(preparation("bogus"), {"request": "round"})
    assert error["usage"] is False
    assert "bogus" in error["error"]
    assert "Traceback" not in capfd.readouterr().err
    served(preparation("bogus"), debug=True)
    assert "Traceback" in capfd.readouterr().err
