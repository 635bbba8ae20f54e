from rumcli import config
from tests import small


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
