"""`rum doctor` reads the report of its probe, a process that a broken backend may kill."""

import os
import subprocess

import pytest

import rumcli
from rumcli import config
from rumcli.cli import doctor
from rumcli.cli.app import main
from rumcli.errors import RunError
from tests.cli.commands import environment, has_control_characters, rum, rum_process
from tests.documents import validated


@pytest.mark.e2e
def test_doctor_describes_a_working_installation(tmp_path):
    (tmp_path / "keras.py").write_text("raise SystemExit('taken for the package')")
    result = rum("doctor", "--json", cwd=tmp_path)
    line = "starting the backend and timing training steps\n"
    assert (result.returncode, result.stderr) == (0, line)
    found = validated(result.stdout, "doctor")
    assert found["works"] is True
    assert found["backend"]["name"] == "tensorflow"
    assert "CPU:0" in found["backend"]["devices"]
    assert found["versions"]["keras"].startswith("3.")
    taken = {one["cell"]: one["reason"] for one in found["fused"]}
    assert list(taken) == [
        name for name in config.names("cell") if name not in ("lstm", "gru", "rnn")
    ]
    assert taken["goru"] == "GORUCell has no fused loop"
    for result in found["speed"]["results"]:
        assert result["steps_per_second"] > 0


@pytest.mark.e2e
def test_unknown_backend_is_reported_in_the_table(tmp_path):
    result = rum_process("doctor", cwd=tmp_path, env={"KERAS_BACKEND": "abacus", "COLUMNS": "60"})
    assert result.returncode == 1
    assert "FAILED: environment variable" in result.stdout
    assert "memory" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 60
    assert not has_control_characters(result.stdout)
    assert result.stderr.splitlines()[-1] == (
        "rum: error: this installation does not work: environment variable KERAS_BACKEND=abacus: "
        "unknown backend 'abacus'; backends: tensorflow, jax, torch"
    )


def test_doctor_without_speed_test_reports_a_missing_backend(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    remedy = (
        "backend 'jax' needs the package jax, which is not installed: pip install 'rumcli[jax]'"
    )

    def ask(speed, debug):
        assert not speed
        raise RunError(remedy)

    monkeypatch.setattr(doctor, "probe_backend", ask)
    assert main(["doctor", "--no-speed", "--markdown"]) == 1
    table = capsys.readouterr().out.splitlines()
    assert table[:2] == ["| | |", "|---|---|"]
    assert f"| rum | {rumcli.__version__} |" in table
    assert table[-1] == f"| backend | FAILED: {remedy} |"
    assert main(["doctor", "--no-speed", "--json"]) == 1
    printed = capsys.readouterr()
    found = validated(printed.out, "doctor")
    assert "jax" in found["versions"]
    assert "jax" not in [extra["package"] for extra in found["extras"]]
    assert printed.err.splitlines()[0] == "starting the backend"
    assert printed.err.endswith(f"{remedy}\n")


@pytest.mark.e2e
def test_backend_that_kills_its_process_is_reported(tmp_path):
    fake = tmp_path / "fake"
    fake.mkdir()
    (fake / "keras.py").write_text("import os\nos.kill(os.getpid(), 4)\n")
    path = os.pathsep.join([str(fake), environment()["PYTHONPATH"]])
    result = rum_process("doctor", "--json", cwd=tmp_path, env={"PYTHONPATH": path})
    assert result.returncode == 1
    found = validated(result.stdout, "doctor")
    assert found["problem"] == "the backend crashed with the signal SIGILL"
    assert (found["works"], found["speed"]) == (False, None)


@pytest.fixture
def end_with(monkeypatch):
    """Let the probe end with an exit code and this output instead of being started."""

    def end(code, out="", err="", times_out=False):
        def run(command, **options):
            assert command[1:4] == ["-P", "-m", "rumcli.cli.doctor"]
            if times_out:
                raise subprocess.TimeoutExpired(command, options["timeout"])
            return subprocess.CompletedProcess(command, code, out, err)

        monkeypatch.setattr(subprocess, "run", run)

    return end


def test_last_line_of_the_output_is_the_report(end_with, capsys):
    end_with(0, 'a greeting\n{"speed": null}\n', "a warning\n")
    assert doctor.probe_backend(speed=False, debug=True) == {"speed": None}
    assert capsys.readouterr().err == "a warning\n"


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ({"code": 1, "err": "noise\nrum: error: no backend\n"}, "^no backend$"),
        ({"code": 0, "out": "not JSON\n"}, "not JSON"),
        ({"code": 3}, "exit code 3"),
        ({"code": -4}, "the backend crashed with the signal SIGILL"),
        ({"code": -77}, "the backend crashed with the signal 77"),
        ({"code": 0, "times_out": True}, "the backend did not respond within 300 s"),
    ],
)
def test_probe_that_fails_is_reported_with_the_cause(end_with, ending, expected):
    end_with(**ending)
    with pytest.raises(RunError, match=expected):
        doctor.probe_backend(speed=True, debug=False)
