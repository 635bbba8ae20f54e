"""Names in any case and integers that are written as floats, wherever a value is given."""

import pytest

from rumcli import coercion, config
from rumcli.errors import ConfigError
from rumcli.reproduction import table
from rumcli.sweeps import plan

COPYING = {("task", "name"): "copying"}


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
    assert babi.task.subtask == config.ALL
    assert table.read("Copying").name == "copying"


@pytest.mark.parametrize("value", ["1.5", "1e300", ".inf", "'1000'", "true"])
def test_no_other_value_is_accepted_as_an_integer(value):
    with pytest.raises(ConfigError, match="expected an integer"):
        config.build(None, [f"train.steps={value}"], COPYING)


def test_descriptions_of_many_runs_accept_the_same(tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text(
        "task: Copying\nsearch: Grid\nseeds: [1.0, 2.0]\nearly_stopping: {first: 1e2}\n"
        "parameters: {cell.name: [GRU, lstm]}\n"
    )
    read = plan.read(file)
    assert read.spec.search == "grid"
    assert read.spec.seeds == [1, 2]
    assert read.spec.early_stopping.first == 100
    assert [read.run(point, 1).cell.name for point in read.points()] == ["gru", "lstm"]


def test_names_that_differ_in_case_are_distinct():
    assert coercion.name("a", ["A", "a"]) == "a"
    assert coercion.name("B", ["b", "ß"]) == "b"
    assert coercion.name("AB", ["ab", "Ab"]) == "AB"
