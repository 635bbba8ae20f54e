"""Names in any case and integers that are written as floats, wherever a value is given."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli import config, parsing
from rumcli.errors import ConfigError
from rumcli.parsing import Threshold
from rumcli.reproduction import table_spec
from rumcli.sweeps import sweep_spec

DEEP = {
    "lists": "[" * 101 + "]" * 101,
    "objects": '{"a": ' * 101 + "1" + "}" * 101,
    "unclosed": "[" * 100_000,
    "brackets after a string": '"\\"[" ' + "[" * 101,
    "large": '"' + "a" * parsing.MAX_JSON_BYTES + '"',
    "NaN": "[NaN]",
    "infinity": "-Infinity",
    "overflow": '{"a": 1e999}',
    "digits": "9" * 5000,
    "not UTF-8": b"\xff",
    "UTF-16": "[1]".encode("utf-16"),
}

COPYING = {("task", "name"): "copying"}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_json_beyond_the_limits_is_rejected(text):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says, callers name the file
        parsing.parse_json(text)


NOT_DEEP = {
    "a hundred levels": "[" * 100 + "]" * 100,
    "many lists": "[" + ",".join(["[]"] * 1000) + "]",
    "brackets in a string": '"' + "[" * 1000 + '\\"' + "{" * 1000 + '"',
}


@pytest.mark.parametrize("text", NOT_DEEP.values(), ids=NOT_DEEP)
def test_json_within_the_depth_limit_is_accepted(text):
    assert parsing.parse_json(text) == json.loads(text)


def test_checkpoint_json_may_have_non_finite_numbers():
    assert parsing.parse_json("[NaN, Infinity, 1.5]", allow_nan=True)[1:] == [float("inf"), 1.5]


@given(
    st.from_regex(r"[a-z_]+", fullmatch=True),
    st.sampled_from([">=", "<=", ">", "<"]),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_written_bound_is_read_back_unchanged(name, comparison, bound):
    assert parsing.parse_threshold(f" {name} {comparison} {bound!r} ") == Threshold(
        name, comparison, bound
    )


def test_bound_near_one_is_not_rounded_to_one():
    assert str(parsing.parse_threshold("accuracy >= 0.9999999")) == "accuracy>=0.9999999"


def test_wrong_form_is_rejected_with_the_right_one():
    with pytest.raises(ValueError, match=r"NAME>=NUMBER, .* as in 'accuracy>=0.95'"):
        parsing.parse_threshold("accuracy=1")


@pytest.mark.parametrize(
    ("assignment", "path", "expected"),
    [
        ("cell.name=GRU", "cell.name", "gru"),
        ("optimizer.name=RMSProp", "optimizer.name", "rmsprop"),
        ("optimizer.schedule.name=Cosine", "optimizer.schedule.name", "cosine"),
        ("cell={name: FSRNN, fast: {name: LNLSTM}, slow: {name: Rum}}", "cell.slow.name", "rum"),
        ("cell.activation=TanH", "cell.activation", "tanh"),
        ("train.on_non_finite=Skip", "train.on_non_finite", "skip"),
        ("precision=Float64", "precision", "float64"),
        ("model.output_scale=RMS", "model.output_scale", "rms"),
        ("train.steps=1e3", "train.steps", 1000),
        ("task.delay=2.0", "task.delay", 2),
        ("seed=7.0", "seed", 7),
        ("cell.time_norm=2", "cell.time_norm", 2.0),
    ],
)
def test_a_value_is_accepted_in_another_form(tmp_path, assignment, path, expected):
    key, _, value = assignment.partition("=")
    *sections, last = key.split(".")
    file = tmp_path / "preset.yaml"
    text = f"{last}: {value}"
    for section in reversed(sections):
        text = f"{section}: {{{text}}}"
    file.write_text(text)
    for run in (config.build(None, [assignment], COPYING), config.build(str(file), (), COPYING)):
        found = run
        for part in path.split("."):
            found = getattr(found, part)
        assert found == expected
        assert type(found) is type(expected)


def test_tasks_presets_and_subtasks_are_accepted_in_any_case():
    assert config.build(None, (), {("task", "name"): "Copying"}).task.name == "copying"
    assert config.build("RECALL").task.name == "recall"
    babi = config.build(None, (), {("task", "name"): "bAbI", ("task", "subtask"): "ALL"})
    assert babi.task.subtask == "all"
    for value, expected in (("Auto", "auto"), ("null", None), ("3.0", 3)):
        run = config.build(None, [f"task.min_count={value}"], {("task", "name"): "ptb"})
        assert run.task.min_count == expected
    assert table_spec.read_table("Copying").name == "copying"


@pytest.mark.parametrize("value", ["1.5", "1e300", ".inf", "'1000'", "true"])
def test_no_other_value_is_accepted_as_an_integer(value):
    with pytest.raises(ConfigError, match="expected an integer"):
        config.build(None, [f"train.steps={value}"], COPYING)


def test_descriptions_of_many_runs_accept_the_same(tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "task: Copying\nsearch: Grid\nseeds: [1.0, 2.0]\nearly_stopping: {grace_period: 1e2}\n"
        "parameters: {cell.name: [GRU, lstm]}\n"
    )
    read = sweep_spec.read(file)
    assert read.spec.search == "grid"
    assert read.spec.seeds == [1, 2]
    assert read.spec.early_stopping.grace_period == 100
    assert [read.run(point, 1).cell.name for point in read.points()] == ["gru", "lstm"]


def test_names_that_differ_in_case_are_distinct():
    assert parsing.name("a", ["A", "a"]) == "a"
    assert parsing.name("B", ["b", "ß"]) == "b"
    assert parsing.name("AB", ["ab", "Ab"]) == "AB"
