"""What a release is made with: one version, a changelog, workflows and an image."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import rumcli

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def workflow(name):
    return yaml.safe_load((ROOT / ".github/workflows" / name).read_text(encoding="utf-8"))


def test_the_version_is_in_one_place():
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "rumcli/__init__.py"
    assert "version:" not in re.sub(
        r"cff-version:.*", "", (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    )


def test_the_changelog_begins_with_this_version():
    found = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert found[0] == rumcli.__version__


def test_every_python_that_is_promised_is_tested():
    prefix = "Programming Language :: Python :: 3."
    promised = [
        classifier.removeprefix("Programming Language :: Python :: ")
        for classifier in PROJECT["project"]["classifiers"]
        if classifier.startswith(prefix)
    ]
    assert workflow("tests.yml")["jobs"]["suite"]["strategy"]["matrix"]["python"] == promised
    assert workflow("release.yml")["jobs"]["smoke"]["strategy"]["matrix"]["python"] == promised


def test_nothing_is_published_that_was_not_tested():
    jobs = workflow("release.yml")["jobs"]
    assert set(jobs["publish"]["needs"]) == {"suite", "smoke"}
    assert jobs["suite"]["uses"] == "./.github/workflows/tests.yml"
    assert jobs["smoke"]["needs"] == "build"


def test_what_is_slow_is_tested_every_week_with_all_extras():
    slow = workflow("slow.yml")
    assert slow[True]["schedule"]  # YAML reads the key `on` as a truth value
    steps = [step.get("run", "") for step in slow["jobs"]["slow"]["steps"]]
    assert "pip install -e '.[dev,cluster]'" in steps
    assert "python -m pytest -m slow" in steps


@pytest.mark.parametrize("name", ["rumcli", "presets", "pyproject.toml", "README.md", "LICENSE"])
def test_the_image_is_built_from_what_the_package_needs(name):
    assert f"!{name}\n" in (ROOT / ".dockerignore").read_text(encoding="utf-8")


def test_the_image_does_not_run_as_root():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert lines.index("USER rum") < lines.index('ENTRYPOINT ["rum"]')
