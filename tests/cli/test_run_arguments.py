"""Directories of runs as arguments of `plot`, `compare` and `inspect`."""

import json
import shutil

import pytest
import yaml

from rumcli.cli.app import main
from tests.cli.commands import assert_one_line, rum
from tests.documents import validated

CELLS = """
import keras
open("imported", "a").write("x")

@keras.saving.register_keras_serializable(package="theirs")
class Sum(keras.layers.SimpleRNN):
    def __init__(self, units, scale=1.0, **others):
        super().__init__(units, **others)
        self.scale = scale

    def call(self, sequences, initial_state=None, mask=None, training=False):
        return super().call(self.scale * sequences, initial_state, mask, training)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}

class Late(keras.layers.SimpleRNN):
    def build(self, shape):
        raise KeyError("later")

def nothing(units, **options):
    return units
"""
SMALL = [
    "--delay=4",
    "--hidden=8",
    "--batch-size=8",
    "--set=train.eval_every=10",
    "--set=task.validation_examples=20",
    "--set=task.test_examples=20",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a cell of the user's and a run of it."""
    place = tmp_path_factory.mktemp("own")
    (place / "theirs.py").write_text(CELLS)
    options = ["--cell=theirs:Sum", "--set=cell.options.scale=0.5", "--steps=10", "--out=run"]
    result = rum("train", "copying", *SMALL, *options, "--json", cwd=place)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["cell"] == "custom"
    return place


def test_later_failure_is_attributed_to_user_code(place):
    result = rum("train", "copying", *SMALL, "--cell=theirs:Late", "--out=late", cwd=place)
    assert_one_line(result, 1, "KeyError: 'later' (in theirs:Late, or a bug; run again with")


def test_the_configuration_repeats_the_run(place):
    found = yaml.safe_load((place / "run" / "config.yaml").read_text())["cell"]
    assert found["factory"] == "theirs:Sum"
    assert found["options"] == {"scale": 0.5}


@pytest.mark.parametrize(
    "arguments",
    [
        ["eval", "run"],
        ["export", "run"],
        ["train", "--resume", "run", "--steps=20"],
        ["train", "--preset", "run/config.yaml"],
    ],
    ids=lambda arguments: arguments[0] + arguments[1],
)
def test_code_named_only_by_a_file_is_not_run(place, arguments):
    (place / "imported").unlink(missing_ok=True)
    result = rum(*arguments, cwd=place)
    assert_one_line(result, 2, "theirs:Sum, which can do anything that you can; if you trust it")
    assert not (place / "imported").exists()


def test_trusted_run_is_resumed_evaluated_and_exported(place):
    result = rum("train", "--resume=run", "--steps=20", "--trust-code", "--quiet", cwd=place)
    assert (result.returncode, result.stderr) == (0, "")
    result = rum("export", "run", "--trust-code", "--json", cwd=place)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["weights_of_step"], found["largest_difference"]) == (20, 0.0)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--cell=their:Sum"], "their:Sum: there is no module their"),
        (["--cell=theirs:Product"], "theirs:Product: theirs has no Product"),
        (["--cell=theirs:nothing"], "theirs:nothing: expected a keras.layers.Layer, got int"),
        (
            ["--cell=theirs:Sum", "--set=cell.options.size=2"],
            "cell theirs:Sum(…, size=2, return_sequences=True, name='cell') fails: ",
        ),
        (["--cell=a b:Sum"], "--cell a b:Sum: expected a name as in package.module:Class"),
    ],
)
def test_usage_errors_are_reported_in_one_line_without_leaving_a_run(place, arguments, expected):
    result = rum("train", "copying", *SMALL, *arguments, "--out=wrong", cwd=place)
    assert_one_line(result, 2, expected)
    assert not (place / "wrong").exists()


@pytest.fixture
def places_of_runs(tmp_path, finished_run, monkeypatch, capsys):
    """A folder with two runs, a young one, and something else, as the current directory."""
    for name in ("run-2", "run-10"):
        shutil.copytree(finished_run, tmp_path / "runs" / name)
    young = tmp_path / "runs" / "young"
    young.mkdir()
    shutil.copy(finished_run / "config.yaml", young)
    (tmp_path / "runs" / "notes").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_plot_draws_each_run_of_a_directory_once(places_of_runs, capsys):
    assert main(["plot", "runs", "runs/run-2", "--json"]) == 0
    printed = capsys.readouterr()
    found = validated(printed.out, "plot")
    assert [run["folder"] for run in found["runs"]] == ["runs/run-2", "runs/run-10"]
    assert printed.err.splitlines() == [
        "runs/run-2 is named more than once; it is used once",
        "left out: runs/young has no evaluation yet; nothing to draw",
    ]


def test_plot_rejects_a_named_run_without_records(places_of_runs, capsys):
    assert main(["plot", "runs/run-2", "runs/young"]) == 2
    assert "runs/young has no evaluation yet" in capsys.readouterr().err


def test_plot_leaves_out_runs_without_the_metric(places_of_runs, capsys):
    records = places_of_runs / "runs" / "run-10" / "metrics.jsonl"
    records.write_text(records.read_text().replace("symbol_accuracy", "other"))
    assert main(["plot", "runs", "--metric=Symbol_Accuracy", "--json"]) == 0
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["runs"]) == 1
    assert "left out: --metric symbol_accuracy: runs/run-10: unknown metric" in printed.err


def test_compare_lists_the_runs_of_a_folder(places_of_runs, capsys):
    assert main(["compare", "runs", "--json"]) == 0
    (group,) = validated(capsys.readouterr().out, "compare")["groups"]
    rows = [row["folder"] for row in group["runs"]]
    assert sorted(rows) == ["runs/run-10", "runs/run-2", "runs/young"]


def test_inspect_writes_one_plot_per_run_of_a_directory(places_of_runs, capsys):
    assert main(["inspect", "runs", "--views=norm", "--out=x.svg"]) == 0
    assert sorted(path.name for path in places_of_runs.glob("*.svg")) == [
        "x-run-10.svg",
        "x-run-2.svg",
    ]
    assert "left out: runs/young has no 'best' checkpoint yet" in capsys.readouterr().err
    assert main(["inspect", "runs", "--json"]) == 2
    assert "--json: runs has several runs; expected one of: runs/run-2" in capsys.readouterr().err


def test_a_folder_without_runs_is_an_error(places_of_runs, capsys):
    assert main(["compare", "runs/notes"]) == 2
    assert "runs/notes is empty; expected the directory of a run" in capsys.readouterr().err


def test_a_run_of_all_subtasks_stands_for_its_parts(places_of_runs, capsys):
    (places_of_runs / "runs").rename(places_of_runs / "all")
    shutil.copy(places_of_runs / "all" / "run-2" / "config.yaml", places_of_runs / "all")
    assert main(["plot", "all", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2
