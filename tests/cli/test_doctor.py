import os

import pytest

from tests.cli.commands import environment, has_control_characters, rum, rum_process
from tests.documents import validated


def test_an_installation_that_works_is_described(tmp_path):
    (tmp_path / "keras.py").write_text("raise SystemExit('taken for the package')")
    result = rum("doctor", "--json", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    found = validated(result.stdout, "doctor")
    assert found["works"] is True
    assert found["backend"]["name"] == "tensorflow"
    assert "CPU:0" in found["backend"]["devices"]
    assert found["versions"]["keras"].startswith("3.")
    taken = {one["cell"]: one["reason"] for one in found["fused"]}
    assert list(taken) == ["rum", "arum", "lnlstm", "fsrnn", "eunn", "goru"]
    assert taken["goru"] == "there is none for GORUCell"
    for result in found["speed"]["results"]:
        assert result["steps_per_second"] > 0


@pytest.mark.e2e
def test_a_backend_that_does_not_exist_is_told_in_the_table(tmp_path):
    result = rum_process("doctor", cwd=tmp_path, env={"KERAS_BACKEND": "abacus", "COLUMNS": "60"})
    assert result.returncode == 1
    assert "FAILED: can't start Keras on the backend" in result.stdout
    assert "memory" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 60
    assert not has_control_characters(result.stdout)
    assert result.stderr.startswith("rum: error: this installation does not work: can't start")


@pytest.mark.e2e
def test_a_backend_that_kills_its_process_is_told_of(tmp_path):
    fake = tmp_path / "fake"
    fake.mkdir()
    (fake / "keras.py").write_text("import os\nos.kill(os.getpid(), 4)\n")
    path = os.pathsep.join([str(fake), environment()["PYTHONPATH"]])
    result = rum_process("doctor", "--json", cwd=tmp_path, env={"PYTHONPATH": path})
    assert result.returncode == 1
    found = validated(result.stdout, "doctor")
    assert found["problem"] == "starting the backend ended with the signal SIGILL"
    assert (found["works"], found["speed"]) == (False, None)
