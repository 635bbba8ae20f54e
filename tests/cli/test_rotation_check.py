import json

import pytest

from rumcli.cells.ops import rotation
from rumcli.cli.app import main
from tests.cli.commands import has_control_characters, rum

rotate = rotation.rotate
BROKEN = {
    "a rotation that stretches": lambda x, y, h: 1.001 * rotate(x, y, h),
    "a rotation that turns back": lambda x, y, h: rotate(y, x, h),
    "no rotation": lambda x, y, h: h + 0 * rotate(x, y, h),
    "not a number": lambda x, y, h: float("nan") * rotate(x, y, h),
}


def test_rotation_check_passes(tmp_path):
    result = rum("rotation-check", cwd=tmp_path)
    assert result.returncode == 0
    assert result.stderr.splitlines()[-1] == "checking rotations in float32"
    assert "tolerance" in result.stdout
    assert "FAILED" not in result.stdout
    assert not has_control_characters(result.stdout)


def test_json_has_each_error_beside_its_tolerance(tmp_path):
    arguments = ["rotation-check", "--json", "--dim=5", "--batch=7", "--dtype=float64"]
    found = json.loads(rum(*arguments, cwd=tmp_path).stdout)
    assert found["passed"] is True
    assert {check["dim"] for check in found["checks"]} == {5}
    assert {check["dtype"] for check in found["checks"]} == {"float64"}
    assert all(check["error"] <= check["tolerance"] for check in found["checks"])


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_rotation_exits_1(monkeypatch, capsys, broken):
    monkeypatch.setattr(rotation, "rotate", broken)
    monkeypatch.setenv("JAX_ENABLE_X64", "1")  # which the command sets, and would leave here
    assert main(["rotation-check", "--dim", "4"]) == 1
    shown = capsys.readouterr()
    assert "FAILED" in shown.out
    assert "checks failed" in shown.err
