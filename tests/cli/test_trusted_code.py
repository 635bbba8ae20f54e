import json

import pytest
import yaml

from tests.cli.commands import assert_one_line, rum

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
