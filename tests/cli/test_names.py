"""Run directories and files whose names are not valid Unicode, as Linux allows them."""

import importlib.util
import json
import os
import shutil

import pytest

from tests.cli.commands import SMALL, assert_one_line, rum, rum_process
from tests.documents import validated

# Bytes that are not UTF-8, a letter that is not ASCII, and characters that mean something to
# matplotlib, Rich and the shell.
NAME = os.fsdecode(b"r\xff\xc3\xa9 $x_1$ [b]")
SHOWN = "r\\xff\u00e9 $x_1$ [b]"
NO_CONVERTER = importlib.util.find_spec("tf2onnx") is None


@pytest.fixture(scope="module")
def place(tmp_path_factory, finished_run):
    """A directory of such a name, with a run of such a name in it."""
    place = tmp_path_factory.mktemp("names") / os.fsdecode(b"p\xfe")
    try:
        place.mkdir()
    except OSError:
        pytest.skip("this file system takes only names that are valid Unicode")
    shutil.copytree(finished_run, place / NAME)
    return place


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("eval", ["eval", NAME]),
        ("compare", ["compare", NAME]),
        ("plot", ["plot", NAME]),
        ("inspect", ["inspect", NAME, "--views=angles"]),
        ("export", ["export", NAME]),
        pytest.param(
            "export",
            ["export", NAME, "--format=onnx", f"--out={NAME}.onnx"],
            marks=pytest.mark.skipif(NO_CONVERTER, reason="needs tf2onnx"),
        ),
        pytest.param("export", ["export", NAME, "--format=savedmodel"], marks=pytest.mark.slow),
        ("gen-data-examples", ["gen-data", "copying", "--count=1", f"--out={NAME}.txt"]),
        ("gen-data-babi", ["gen-data", "babi", "--subtask=1", "--count=9", f"--out={NAME}-babi"]),
        ("presets-copy", ["presets", "copy", "recall", f"{NAME}.yaml"]),
    ],
)
def test_command_accepts_the_name_and_prints_valid_unicode(place, kind, arguments):
    result = rum(*arguments, "--json", cwd=place)
    assert result.returncode == 0, result.stderr
    found = json.dumps(validated(result.stdout, kind), ensure_ascii=False)
    assert json.dumps(SHOWN, ensure_ascii=False)[1:-1] in found
    found.encode()


@pytest.mark.parametrize("arguments", [["eval", NAME], ["compare", NAME, NAME]])
def test_a_table_shows_the_name(place, arguments):
    result = rum(*arguments, cwd=place)
    assert result.returncode == 0, result.stderr
    assert SHOWN in result.stdout
    assert len({len(line) for line in result.stdout.splitlines() if "\u2502" in line}) == 1


def test_plot_label_shows_the_name(place):
    shutil.copytree(place / NAME, place / f"_{NAME}", dirs_exist_ok=True)
    result = rum("plot", NAME, f"_{NAME}", f"--out={NAME}.svg", cwd=place)
    assert (result.returncode, result.stderr) == (0, f"wrote {SHOWN}.svg\n")
    svg = (place / f"{NAME}.svg").read_text("utf-8")
    assert f"<!-- {SHOWN} -->" in svg
    assert f"<!--  _{SHOWN} -->" in svg


def test_training_shows_the_name_and_records_the_command(place):
    run = place / f"{NAME}-new"
    arguments = ["train", "copying", *SMALL, "--steps=10", "--logger=csv"]
    if has_tensorboard := importlib.util.find_spec("tensorboard") is not None:
        arguments.append("--logger=tensorboard")
    result = rum(*arguments, f"--out={run.name}", cwd=place)
    assert result.returncode == 0, result.stderr
    assert f"run directory {SHOWN}-new\n" in result.stderr
    assert "TensorBoard" not in result.stderr
    assert f"{SHOWN}-new" in result.stdout
    for path in run.glob("*.json"):
        json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False).encode()
    if has_tensorboard:
        assert list((run / "tensorboard").iterdir())
    result = rum("train", "--resume", run.name, "--steps=20", "--quiet", cwd=place)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["eval", f"{NAME}-no"], f"there is no run directory {SHOWN}-no"),
        (["train", "--preset", f"{NAME}-no.yaml"], f"can't read {SHOWN}-no.yaml: No such file"),
        (["train", "ptb", "--data", f"{NAME}-no"], f"p\\xfe/{SHOWN}-no; expected a text file"),
        (["train", "ptb", f"--set=task.data={NAME}-no"], f"p\\xfe/{SHOWN}-no; expected a text"),
        (["train", NAME], f"unknown task '{SHOWN}'"),
        (["gen-data", "copying", f"--out={NAME}"], f"--out {SHOWN}: which format?"),
    ],
)
def test_an_error_shows_the_name(place, arguments, expected):
    assert_one_line(rum(*arguments, cwd=place), 2, expected)


@pytest.mark.e2e
def test_non_ascii_names_work_in_a_locale_without_utf_8(place):
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0"}
    shown = SHOWN.replace("\u00e9", "\\xc3\\xa9")
    result = rum_process("plot", NAME, "--out=c.svg", cwd=place, fresh=True, env=locale)
    assert (result.returncode, result.stderr) == (0, "wrote c.svg\n")
    assert f"<!-- {shown} -->" in (place / "c.svg").read_text("utf-8")
    result = rum_process("eval", NAME, cwd=place, fresh=True, env=locale)
    assert result.returncode == 0, result.stderr
    assert shown in result.stdout
