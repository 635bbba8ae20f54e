"""`rum doctor` reads the report of its probe, a process that a broken backend may kill."""

import subprocess

import pytest

from rumcli.cli import _backend_probe
from rumcli.errors import RunError


@pytest.fixture
def end_with(monkeypatch):
    """Let the probe end with an exit code and this output instead of being started."""

    def end(code, out="", err="", times_out=False):
        def run(command, **options):
            assert command[1:4] == ["-P", "-m", "rumcli.cli._backend_probe"]
            if times_out:
                raise subprocess.TimeoutExpired(command, options["timeout"])
            return subprocess.CompletedProcess(command, code, out, err)

        monkeypatch.setattr(subprocess, "run", run)

    return end


def test_last_line_of_the_output_is_the_report(end_with, capsys):
    end_with(0, 'a greeting\n{"speed": null}\n', "a warning\n")
    assert _backend_probe.ask(speed=False, debug=True) == {"speed": None}
    assert capsys.readouterr().err == "a warning\n"


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        ({"code": 1, "err": "noise\nrum: error: no backend\n"}, "^no backend$"),
        ({"code": 0, "out": "not JSON\n"}, "not JSON"),
        ({"code": 3}, "exit code 3"),
        ({"code": -4}, "starting the backend ended with the signal SIGILL"),
        ({"code": -77}, "starting the backend ended with the signal 77"),
        ({"code": 0, "times_out": True}, "the backend did not answer within 300 s"),
    ],
)
def test_probe_that_fails_is_reported_with_the_cause(end_with, ending, expected):
    end_with(**ending)
    with pytest.raises(RunError, match=expected):
        _backend_probe.ask(speed=True, debug=False)
