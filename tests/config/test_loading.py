""""""

import math
import sys

import pytest
import yaml

from rumcli import config
from rumcli.config import build, catalog
from rumcli.config.yaml_io import Document
from rumcli.errors import ConfigError
from tests import small

TASK = ("task", "name")
CELL = ("cell", "name")
UNITS = ("cell", "units")
NORM = ("cell", "time_norm")
STEPS = ("train", "steps")


def message(**arguments):
    with pytest.raises(ConfigError) as caught:
        build(**arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", catalog.preset_names())
def test_every_preset_is_a_configuration(name):
    assert build(preset=name).task.name in config.names("task")


@pytest.mark.parametrize("task", config.names("task"))
def test_every_task_has_a_preset_of_its_name(task):
    assert build(flags={TASK: task}).task.name == task


def test_stronger_layers_win(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("task: {name: copying}\ntrain: {steps: 11, batch_size: 12, eval_every: 13}\n")
    run = build(str(path), ["train.batch_size=22", "train.eval_every=23"], {STEPS: 31})
    assert (run.train.steps, run.train.batch_size, run.train.eval_every) == (31, 22, 23)
    assert run.task.delay == build(flags={TASK: "copying"}).task.delay


def test_a_flag_wins_over_set_on_the_same_key():
    assert build(None, ["cell.units=7"], {TASK: "copying", UNITS: 8}).cell.units == 8


def test_another_cell_keeps_the_shared_options(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "task: {name: copying}\ncell: {name: rum, units: 7, time_norm: 1.0, activation: relu}\n"
    )
    lstm = build(str(path), [], {CELL: "lstm"}).cell
    assert (lstm.name, lstm.units) == ("lstm", 7)
    assert lstm.activation == "tanh", "what relu is to RUM, tanh is to an LSTM"
    arum = build(str(path), [], {CELL: "arum"}).cell
    assert (arum.units, arum.time_norm, arum.activation) == (7, 1.0, "relu")


def test_a_complete_configuration_read_back_is_the_same(tmp_path):
    run = build(None, ["cell.zoneout=0.1", "optimizer.clip_norm=1e-1"], {TASK: "recall"})
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml(run))
    assert config.from_file(path) == run
    assert build(str(path)) == run
    assert yaml.safe_load(path.read_text())["cell"]["zoneout"] == 0.1


@pytest.mark.parametrize(
    "value",
    [
        "12e4567",
        "1e-3",
        "2001-01-01",
        "yes",
        "a\nb\x85c",
        "caf\u00e9 \udcff",
        10**300,
        1e3,
        math.inf,
    ],
)
@pytest.mark.parametrize("form", [lambda value: value, lambda value: [{"inner": value}]])
def test_options_of_own_code_are_read_back_unchanged(value, form):
    options = {"version": form(value)}
    cell = {"name": "custom", "factory": "mine:Cell", "units": 3, "options": options}
    below = build(flags={TASK: "copying"}).model_dump()
    run = config.RunConfig.model_validate({**below, "cell": cell})
    assert config.from_text(config.to_yaml(run), "config.yaml") == run
    assert config.changed(run, Document("sweep.yaml", {"seed": 7})).cell == run.cell


@pytest.mark.skipif(sys.getfilesystemencoding() != "utf-8", reason="of a locale with UTF-8")
def test_path_written_in_a_locale_without_utf_8_is_unchanged():
    run = build(flags={TASK: "ptb", ("task", "data"): "/a/\udcc3\udca9\udcff"})
    assert run.task.data == "/a/\u00e9\udcff"
    assert config.from_text(config.to_yaml(run), "config.yaml") == run
    assert "expected a path" in message(flags={TASK: "ptb", ("task", "data"): "/a/\ud800"})


def test_text_that_is_not_valid_unicode_is_rejected():
    told = message(assignments=["cell.factory=a\udcff:B"], flags={CELL: "custom", TASK: "copying"})
    assert (
        told
        == "--set cell.factory=a\udcff:B: expected text that is valid Unicode, got 'a\\udcff:B'"
    )


def test_differences_name_the_keys():
    one = build(flags={TASK: "copying", CELL: "rum"})
    other = build(None, ["train.steps=5"], {TASK: "copying", CELL: "lstm"})
    assert config.differences(one, other) == [CELL, STEPS], "what follows from the cell is left out"
    other = build(flags={TASK: "copying", CELL: "rum", NORM: 7.0, ("seed",): 9})
    assert config.differences(one, other) == [NORM, ("seed",)]
    assert config.differences(one, one) == []


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({TASK: "copyin"}, "unknown task 'copyin'; did you mean 'copying'?"),
        ({TASK: "recall", CELL: "arun"}, "cell.name: unknown cell 'arun'; did you mean 'arum'?"),
        ({TASK: "recall", ("task", "delay"): 7}, "task.delay: expected an even integer, got 7"),
        ({TASK: "recall", UNITS: 0}, "cell.units: expected at least 1, got 0"),
        ({TASK: "recall", NORM: -1.0}, "cell.time_norm: expected a number greater than 0"),
        ({TASK: "recall", NORM: float("inf")}, "cell.time_norm: expected a finite number"),
        ({TASK: "recall", CELL: "gru", NORM: 1.0}, "cell.time_norm: cell 'gru' has no option"),
        ({TASK: "recall", ("seed",): -1}, "seed: expected at least 0"),
        ({}, "the task is missing"),
    ],
)
def test_a_wrong_flag_is_named(flags, expected):
    assert message(flags=flags).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cell.zonout=1", "--set cell.zonout=1: unknown option 'zonout'; did you mean 'zoneout'?"),
        ("train.step=1", "--set train.step=1: unknown key 'step'; did you mean 'steps'?"),
        ("trian.steps=1", "--set trian.steps=1: unknown key 'trian'; did you mean 'train'?"),
        ("train.steps=ten", "--set train.steps=ten: expected an integer, got 'ten'"),
        ("train.steps=1.5", "--set train.steps=1.5: expected an integer, got 1.5"),
        ("train=1", "--set train=1: expected a mapping"),
        ("cell=1", "--set cell=1: expected a mapping"),
        ("cell.units.x=1", "--set cell.units.x=1: expected an integer"),
        ("cell.zoneout=1", "--set cell.zoneout=1: expected a number less than 1"),
        ("cell.activation=relo", "--set cell.activation=relo: expected 'relu', 'tanh'"),
        ("cell.layer_norm=yes please", "--set cell.layer_norm=yes please: expected true or false"),
        ("optimizer.name=adm", "--set optimizer.name=adm: unknown optimizer 'adm'; did you mean"),
        ("optimizer.rho=0.5", "--set optimizer.rho=0.5: optimizer 'adam' has no option"),
        ("train.steps", "--set train.steps: expected key.path=value"),
        ("=3", "--set =3: expected key.path=value"),
        ("train.steps=[1", "--set train.steps=[1: the value is not YAML"),
        ("task.delay=1" + 30 * "0", f"--set task.delay=1{30 * '0'}: expected at most 1000000000, "),
        ("seed=0x" + 5000 * "f", f"--set seed=0x{93 * 'f'}…: the value is not YAML"),
        ("seed=0x" + 300 * "f", f"--set seed=0x{93 * 'f'}…: expected at most 4294967295, got a "),
        ("cell.name=" + 5000 * "x", f"--set cell.name={90 * 'x'}…: unknown cell '{100 * 'x'}…'; "),
        (".".join(5000 * "a") + "=1", f"--set {50 * 'a.'}…: expected key.path=value"),
        ("model.layers=1000000", "--set model.layers=1000000: expected at most 100"),
        (
            "cell=gru",
            "--set cell=gru: expected a mapping such as {name: gru}, got 'gru'; to select ",
        ),
        (
            "optimizer.schedule=cosine",
            "--set optimizer.schedule=cosine: expected a mapping such as {name: cosine}, got "
            "'cosine'; to select it: optimizer.schedule.name=cosine",
        ),
        (
            "optimizer.schedule=3",
            "--set optimizer.schedule=3: expected a mapping such as {name: co",
        ),
        (
            "train.callbacks=[{x: 1}]",
            "--set train.callbacks=[{x: 1}]: 'train.callbacks.0.factory' is missing",
        ),
        (
            "train.callbacks=[{factory: a:B, x: 1}]",
            "--set train.callbacks=[{factory: a:B, x: 1}]: unknown key 'x'; keys of "
            "'train.callbacks.0': factory, options",
        ),
        ("seed=[&a [*a]]", "--set seed=[&a [*a]]: the value is not YAML"),
    ],
)
def test_a_wrong_assignment_is_quoted(text, expected):
    assert message(assignments=[text], flags={TASK: "copying"}).startswith(expected)


def test_home_of_an_unknown_user_is_reported():
    text = "task.data=~nobody-of-this-name/x"
    assert message(assignments=[text], flags={TASK: "babi"}).startswith(
        f"--set {text}: expected a path in a home that exists"
    )


def test_unknown_key_in_a_file_is_reported_with_its_position(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("task: {name: copying}\ncell:\n  name: rum\n  unit: 3\n")
    assert message(preset=str(path)).startswith(
        f"{path}, line 4, column 3: cell.unit: unknown option 'unit'; did you mean 'units'?"
    )


def test_a_preset_of_another_task_is_rejected():
    assert message(preset="recall", flags={TASK: "copying"}).endswith(
        "the preset is for 'recall', not 'copying'"
    )


def test_unknown_preset_names_the_nearest():
    assert message(preset="recal") == (
        "unknown preset 'recal'; did you mean 'recall'? presets: "
        + ", ".join(catalog.preset_names())
    )


def test_missing_file_is_reported():
    assert message(preset="nowhere/mine.yaml").startswith("can't read nowhere/mine.yaml: ")


def test_a_file_that_names_no_task_needs_one(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("train: {steps: 3}\n")
    assert "has no task" in message(preset=str(path))
    assert build(str(path), [], {TASK: "recall"}).train.steps == 3


FAST_SLOW = {CELL: "fsrnn", TASK: "copying"}


def test_a_cell_within_a_cell_is_set_key_by_key():
    run = build(
        None, ["cell.slow.units=7", "cell.slow.time_norm=1", "cell.fast.zoneout=0.1"], FAST_SLOW
    )
    assert (run.cell.slow.name, run.cell.slow.units, run.cell.slow.time_norm) == ("rum", 7, 1.0)
    assert (run.cell.fast.name, run.cell.fast.zoneout) == ("lnlstm", 0.1)


def test_new_name_of_an_inner_cell_keeps_shared_options(tmp_path):
    preset = tmp_path / "mine.yaml"
    preset.write_text(
        "cell: {name: fsrnn, slow: {name: rum, units: 7, zoneout: 0.2, time_norm: 1}}\n"
    )
    run = build(str(preset), ["cell.slow.name=lnlstm"], FAST_SLOW)
    assert (run.cell.slow.name, run.cell.slow.units, run.cell.slow.zoneout) == ("lnlstm", 7, 0.2)
    assert config.from_file(write_yaml(tmp_path / "again.yaml", config.to_yaml(run))) == run


def write_yaml(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("cell.slow.name=rim", "unknown cell 'rim'; did you mean 'rum'? cells: rum, arum, lnlstm"),
        ("cell.slow.zoneouts=1", "unknown option 'zoneouts'; did you mean 'zoneout'? options of"),
        ("cell.slow.cell_zoneout=0.1", "cell.slow 'rum' has no option 'cell_zoneout' (cells that"),
        ("cell.slow.units=0", "expected at least 1, got 0"),
        ("cell.slow=rum", "expected a mapping such as {name: rum}, got 'rum'"),
        ("cell.fast.units=3", "unknown option 'units'; options of 'lnlstm'"),
        ("cell.num_fast_cells=1", "expected at least 2, got 1"),
    ],
)
def test_error_in_an_inner_cell_names_its_position(assignment, expected):
    with pytest.raises(ConfigError) as caught:
        build(None, [assignment], FAST_SLOW)
    assert str(caught.value).startswith(f"--set {assignment}: ")
    assert expected in str(caught.value)


def test_orthogonal_cells_have_a_capacity_and_a_pairing_and_can_be_nested():
    run = build(None, ["cell.capacity=4"], {TASK: "copying", CELL: "goru"})
    assert (run.cell.capacity, run.cell.pairing) == (4, "neighbors")
    run = build(None, ["cell.slow.name=eunn", "cell.slow.complex_valued=true"], FAST_SLOW)
    assert (run.cell.slow.capacity, run.cell.slow.complex_valued) == (None, True)
    run = build(None, ["cell.fast.name=goru", "cell.fast.pairing=fft"], FAST_SLOW)
    assert (run.cell.fast.capacity, run.cell.fast.pairing) == (None, "fft")


@pytest.mark.parametrize(
    ("cell", "assignments", "expected"),
    [
        ("goru", ["cell.capacity=0"], "expected at least 1 or null, got 0"),
        ("eunn", ["cell.pairing=ff"], "expected 'neighbors' or 'fft', got 'ff'"),
        (
            "goru",
            ["cell.pairing=fft", "cell.capacity=3"],
            "expected null with pairing 'fft', whose",
        ),
        ("goru", ["cell.complex_valued=true"], "(cells that have it: eunn)"),
        ("rum", ["cell.capacity=2"], "(cells that have it: eunn, goru)"),
    ],
)
def test_wrong_option_of_an_orthogonal_cell_is_rejected(cell, assignments, expected):
    told = message(assignments=assignments, flags={TASK: "copying", CELL: cell})
    assert told.startswith(f"--set {assignments[-1]}: ")
    assert expected in told


def differing(*runs):
    return {".".join(key): values for key, values in config.varying(runs).items()}


def test_differences_are_listed_with_all_values():
    runs = [small.run_config(steps=steps, seed=seed) for steps, seed in ((10, 1), (20, 1), (10, 2))]
    assert differing(*runs) == {"train.steps": [10, 20, 10], "seed": [1, 1, 2]}


def test_equal_runs_and_a_single_run_have_no_differences():
    assert differing(small.run_config(), small.run_config()) == {}
    assert differing(small.run_config()) == {}


def test_defaults_of_another_cell_are_no_difference():
    rum, gru = small.run_config(cell="rum"), small.run_config(cell="gru")
    assert rum.cell.activation != gru.cell.activation
    assert differing(rum, gru) == {"cell.name": ["rum", "gru"]}


def test_chosen_options_of_another_cell_are_a_difference():
    rum = small.run_config(cell="rum", cell__units=9)
    gru = small.run_config(cell="gru", settings=["cell.activation=relu", "cell.dropout=0.5"])
    found = differing(rum, gru)
    assert found == {"cell.name": ["rum", "gru"], "cell.units": [9, 8]}
    assert next(iter(found)) == "cell.name"
    linear = small.run_config(cell="gru", settings=["cell.activation=linear"])
    assert differing(rum, linear)["cell.activation"] == ["relu", "linear"]


def test_option_missing_in_one_run_is_compared_among_the_others():
    norms = [small.run_config(cell="rum", settings=[f"cell.time_norm={n}"]) for n in (0.5, 2.0)]
    found = differing(norms[0], small.run_config(cell="gru"), norms[1])
    assert found["cell.time_norm"] == [0.5, None, 2.0]


def test_a_cell_within_a_cell_is_compared_too():
    slow = [small.run_config(cell="fsrnn", settings=[f"cell.slow.units={n}"]) for n in (7, 9)]
    assert differing(*slow) == {"cell.slow.units": [7, 9]}


def test_run_labels_have_the_cell_and_only_the_needed_keys():
    norms = [small.run_config(cell="arum", settings=[f"cell.time_norm={n}"]) for n in (2.0, "null")]
    gru = small.run_config(cell="gru", cell__units=9)
    assert config.labels([*norms, gru]) == ["arum, time_norm=2.0", "arum, time_norm=null", "gru"]


def test_keys_are_added_until_every_label_is_different():
    runs = [
        small.run_config(cell=cell, seed=seed, settings=[f"optimizer.learning_rate={rate}"])
        for cell, seed, rate in (
            ("gru", 1, 0.1),
            ("gru", 1, 0.2),
            ("gru", 2, 0.1),
            ("lstm", 1, 0.1),
        )
    ]
    assert config.labels(runs) == [
        "gru, learning_rate=0.1, seed=1",
        "gru, learning_rate=0.2",
        "gru, learning_rate=0.1, seed=2",
        "lstm",
    ]
    assert config.labels([runs[0], runs[0], runs[1]])[:2] == ["learning_rate=0.1"] * 2
    assert config.labels([runs[0], runs[0]]) == ["", ""]


def test_a_key_within_a_section_is_labeled_with_its_path():
    slow = [small.run_config(cell="fsrnn", settings=[f"cell.slow.units={n}"]) for n in (7, 9)]
    assert config.labels(slow) == ["slow.units=7", "slow.units=9"]
