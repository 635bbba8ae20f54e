"""The built wheel works where there is no source tree."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from rumcli.config import catalog
from rumcli.reproduction import table_spec as tables

ROOT = Path(__file__).parent.parent


def run_command(*command, cwd, **variables):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    place = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, ROOT]
    built = run_command(*command, cwd=place)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(place.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of executables of an environment with the wheel and this one's dependencies."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=os.name != "nt")
    scripts = place / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    pip = [sys.executable, "-m", "pip", "--python", python]  # without one of its own
    done = run_command(*pip, "install", "--no-deps", "--no-index", wheel, cwd=place)
    assert done.returncode == 0, done.stderr
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run_command(python, "-c", where, cwd=place).stdout.strip())
    # A line in a .pth file adds the folder, but not what .pth files in it add: no source tree.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return scripts


def test_the_wheel_has_presets_and_types_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in catalog.preset_names():
        assert f"rumcli/presets/{name}.yaml" in names
    for name in tables.table_names():
        assert f"rumcli/presets/tables/{name}.yaml" in names
    assert "rumcli/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "presets/", "docs/"))]


@pytest.mark.slow
def test_the_installed_command_trains_and_evaluates_from_another_folder(installed, tmp_path):
    listed = run_command(installed / "rum", "presets", "list", cwd=tmp_path)
    assert "copying" in listed.stdout, listed.stderr
    small = ["--delay=4", "--hidden=8", "--batch-size=8", "--steps=3", "--out=run"]
    small += ["--set=task.validation_examples=8", "--set=task.test_examples=8"]
    trained = run_command(installed / "rum", "train", "copying", *small, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    evaluated = run_command(installed / "rum", "eval", "run", cwd=tmp_path)
    assert "memoryless loss" in evaluated.stdout, evaluated.stderr


def test_the_installed_package_is_not_the_source_tree(installed, tmp_path):
    code = "import rumcli; print(rumcli.__file__)"
    found = run_command(installed / "python", "-c", code, cwd=tmp_path).stdout
    assert str(ROOT) not in found
    assert str(installed.parent) in found
