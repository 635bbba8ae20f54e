"""Commands where Keras is installed without any backend."""

import importlib.util
import shutil

import pytest

from rumcli import backends
from tests.cli.commands import assert_one_line, rum
from tests.reproduction.files import write_table
from tests.sweeps.files import write_sweep

COMMANDS = [
    ["train", "recall", "--out=new"],
    ["train", "babi", "--subtask=all", "--out=new"],
    ["train", "--resume=run", "--steps=30"],
    ["train", "--resume=run", "--steps=30", "--from-scratch"],
    ["sweep", "sweep.yaml", "--out=new"],
    ["reproduce", "table.yaml", "--out=new"],
    ["eval", "run"],
    ["export", "run"],
    ["inspect", "run", "--views=norm"],
    ["presets", "show", "recall", "--summary"],
    ["rotation-check"],
    ["bench", "--task=copying"],
]


@pytest.fixture
def place(tmp_path, monkeypatch, finished_run):
    """A directory with a run, a sweep and a table, on a machine without a backend."""
    shutil.copytree(finished_run, tmp_path / "run")
    write_sweep(tmp_path)
    write_table(tmp_path, "table.yaml")
    monkeypatch.setattr(backends, "is_installed", lambda name: False)
    monkeypatch.setattr(backends, "name", lambda: "tensorflow")
    return tmp_path


def contents(place):
    return {path: path.is_file() and path.read_bytes() for path in place.rglob("*")}


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_missing_backend_is_reported_before_anything_is_written(place, arguments):
    before = contents(place)
    result = rum(*arguments, cwd=place)
    assert_one_line(result, 2, "Keras needs a backend, and none is installed; expected TensorFlow")
    assert contents(place) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "recall", "--dry-run"],
        ["train", "--resume=run"],
        ["sweep", "sweep.yaml", "--dry-run"],
        ["reproduce", "table.yaml", "--dry-run"],
        ["compare", "run"],
    ],
    ids=" ".join,
)
def test_commands_that_compute_nothing_need_no_backend(place, arguments):
    assert rum(*arguments, cwd=place).returncode == 0


def test_backend_of_this_machine_is_not_needed_for_a_cluster(place):
    spec = importlib.util.find_spec("ray")
    expected = "no server listens there" if spec else "requires ray"
    result = rum("sweep", "sweep.yaml", "--address=127.0.0.1:9", "--out=new", cwd=place)
    assert_one_line(result, 2, expected)
