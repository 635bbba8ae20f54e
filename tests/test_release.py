"""Parts of a release: one version, a changelog, workflows and an image."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import rumcli
from rumcli import backends

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


def test_every_supported_python_is_tested():
    prefix = "Programming Language :: Python :: 3."
    promised = [
        classifier.removeprefix("Programming Language :: Python :: ")
        for classifier in PROJECT["project"]["classifiers"]
        if classifier.startswith(prefix)
    ]
    assert workflow("tests.yml")["jobs"]["suite"]["strategy"]["matrix"]["python"] == promised
    assert workflow("release.yml")["jobs"]["smoke"]["strategy"]["matrix"]["python"] == promised


def test_a_bug_report_requires_the_output_of_doctor():
    form = ROOT / ".github/ISSUE_TEMPLATE/bug_report.yml"
    fields = {field["id"]: field for field in yaml.safe_load(form.read_text("utf-8"))["body"]}
    assert "`rum doctor --markdown`" in fields["doctor"]["attributes"]["label"]
    assert fields["doctor"]["validations"]["required"]


def test_release_is_published_only_after_tests():
    jobs = workflow("release.yml")["jobs"]
    assert set(jobs["index"]["needs"]) == {"suite", "smoke"}
    assert set(jobs["publish"]["needs"]) == {"suite", "smoke", "index"}
    assert jobs["suite"]["uses"] == "./.github/workflows/tests.yml"
    assert jobs["smoke"]["needs"] == "build"


def test_the_package_is_published_without_a_token():
    job = workflow("release.yml")["jobs"]["index"]
    assert job["if"] == "github.ref_type == 'tag'"
    assert job["permissions"] == {"id-token": "write"}
    assert not any("password" in str(step) for step in job["steps"])


def test_the_site_is_published_from_main_after_a_build_without_warnings():
    jobs = workflow("site.yml")["jobs"]
    assert "mkdocs build --strict" in [step.get("run") for step in jobs["build"]["steps"]]
    assert jobs["publish"]["needs"] == "build"
    assert "refs/heads/main" in jobs["publish"]["if"]


def test_macos_and_windows_are_tested():
    job = workflow("tests.yml")["jobs"]["platforms"]
    assert job["strategy"]["matrix"]["os"] == ["macos-latest", "windows-latest"]
    paths = [word for step in job["steps"] for word in step.get("run", "").split()]
    assert all((ROOT / path).exists() for path in paths if path.startswith("tests/"))


def test_all_tiers_run_every_week_with_all_extras():
    weekly = workflow("weekly.yml")
    assert weekly[True]["schedule"]  # YAML reads the key `on` as a truth value
    steps = [step.get("run", "") for step in weekly["jobs"]["tests"]["steps"]]
    extras = PROJECT["project"]["optional-dependencies"]
    in_dev = set(re.findall(r"\w+", extras["dev"][0]))  # of this package's own extras
    (install,) = [step for step in steps if step.startswith("pip install")]
    asked = set(re.findall(r"\w+", install.partition("[")[2]))
    assert set(extras) - {"torch"} <= asked | in_dev  # PyTorch has a job of its own
    assert {
        "python -m pytest",
        "python -m pytest -m e2e",
        "python -m pytest -m slow",
    } <= {*steps}


def test_backends_and_the_next_keras_are_tested_every_week():
    jobs = workflow("weekly.yml")["jobs"]
    for name, installs in (("backends", "test,"), ("nightly", "keras-nightly")):
        steps = [step.get("run", "") for step in jobs[name]["steps"]]
        assert any(step.startswith("pip install") and installs in step for step in steps)
        paths = [word for step in steps for word in step.split() if word.startswith("tests/")]
        assert paths
        assert all((ROOT / path).exists() for path in paths)
    extras = PROJECT["project"]["optional-dependencies"]
    tested = {*jobs["backends"]["strategy"]["matrix"]["backend"], "tensorflow"}
    assert tested == set(backends.TITLES) <= set(extras)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ("# Changes\n\n## 1.2.0 (2027-01-02)\n\n- New.\n\n## 1.1.0\n\n- Old.\n", "- New."),
        ("# Changes\n\n## 1.2.0 (not released yet)\n\n- New.\n", None),
        ("# Changes\n\n## 1.1.0\n\n- Old.\n", None),
    ],
)
def test_the_notes_of_a_release_are_those_of_its_version(tmp_path, changes, expected):
    # given
    steps = workflow("release.yml")["jobs"]["publish"]["steps"]
    (script,) = [
        step["run"] for step in steps if "notes.md" in step.get("run", "") and "awk" in step["run"]
    ]
    (tmp_path / "CHANGELOG.md").write_text(changes, encoding="utf-8")

    # when
    env = {**os.environ, "GITHUB_REF_NAME": "v1.2.0"}
    result = subprocess.run(["bash", "-ec", script], cwd=tmp_path, env=env, check=False)

    # then
    assert (result.returncode == 0) == (expected is not None)
    if expected is not None:
        assert (tmp_path / "notes.md").read_text(encoding="utf-8").split("\n", 1)[
            1
        ].strip() == expected


@pytest.mark.parametrize("name", ["rumcli", "presets", "pyproject.toml", "README.md", "LICENSE"])
def test_image_is_built_from_the_package_files(name):
    assert f"!{name}\n" in (ROOT / ".dockerignore").read_text(encoding="utf-8")


def test_the_image_does_not_run_as_root():
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert lines.index("USER rum") < lines.index('ENTRYPOINT ["rum"]')
