import yaml

from rumcli import config
from rumcli.config import catalog
from tests.cli.commands import assert_one_line, rum
from tests.documents import validated

NARROW = {"COLUMNS": "60"}


def test_presets_are_listed_with_descriptions(tmp_path):
    rows = validated(rum("presets", "list", "--json", cwd=tmp_path).stdout, "presets-list")[
        "presets"
    ]
    assert [row["name"] for row in rows] == catalog.preset_names()
    assert all(row["description"] and row["task"] for row in rows)
    shown = rum("presets", "list", cwd=tmp_path).stdout
    assert all(row["name"] in shown for row in rows)


def test_a_preset_is_shown_as_yaml(tmp_path):
    shown = rum("presets", "show", "recall", cwd=tmp_path).stdout
    assert yaml.safe_load(shown)["task"]["name"] == "recall"


def test_a_copied_preset_can_be_changed_and_used(tmp_path):
    copied = rum("presets", "copy", "recall", "mine.yaml", "--json", cwd=tmp_path)
    assert copied.stderr == "wrote mine.yaml; to use it: rum train --preset mine.yaml\n"
    assert validated(copied.stdout, "presets-copy")["path"] == "mine.yaml"
    path = tmp_path / "mine.yaml"
    path.write_text(path.read_text().replace("units: 50", "units: 33"))
    dry = rum("train", "--preset=mine.yaml", "--dry-run", "--quiet", "--json", cwd=tmp_path)
    assert validated(dry.stdout, "train-dry-run")["config"]["cell"]["units"] == 33


def test_presets_show_prints_a_model_summary(tmp_path):
    shown = rum("presets", "show", "ptb_rum_small", "--summary", cwd=tmp_path, env=NARROW).stdout
    assert "trainable weights" in shown
    assert "RUM" in shown
    assert "50 symbols" in shown
    assert max(map(len, shown.splitlines())) <= 60
    arguments = ["presets", "show", "recall", "--summary", "--json"]
    found = validated(rum(*arguments, cwd=tmp_path).stdout, "presets-show-summary")
    assert found["preset"] == "recall"
    assert found["weights"] == sum(layer["weights"] for layer in found["layers"])


def test_a_preset_is_shown_as_json(tmp_path):
    shown = rum("presets", "show", "recall", "--json", cwd=tmp_path).stdout
    found = validated(shown, "presets-show")
    assert found["config"] == yaml.safe_load(catalog.preset_path("recall").read_text())


def test_small_ptb_preset_is_the_default_of_the_task():
    assert config.build("ptb_rum_small") == config.build("ptb")


def test_configuration_of_a_run_is_shown(tmp_path, finished_run):
    shown = rum("presets", "show", finished_run, cwd=tmp_path).stdout
    assert shown == (finished_run / "config.yaml").read_text()
    found = validated(
        rum("presets", "show", finished_run, "--json", cwd=tmp_path).stdout, "presets-show"
    )
    assert found["preset"] == str(finished_run)
    assert found["config"] == yaml.safe_load(shown)


def test_file_is_shown_if_it_is_a_configuration(tmp_path):
    (tmp_path / "mine.yaml").write_text("task: {name: recall}\n")
    shown = rum("presets", "show", "mine.yaml", "--json", cwd=tmp_path).stdout
    assert validated(shown, "presets-show")["config"] == {"task": {"name": "recall"}}
    (tmp_path / "wrong.yaml").write_text("task: {name: recall}\nseeed: 1\n")
    result = rum("presets", "show", "wrong.yaml", cwd=tmp_path)
    assert_one_line(result, 2, "wrong.yaml, line 2, column 1: seeed: unknown key 'seeed'")


def test_preset_that_does_not_exist_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    assert_one_line(rum("presets", "show", "recal", cwd=tmp_path), 2, "did you mean 'recall'?")
    assert_one_line(rum("presets", "show", "a.yaml", cwd=tmp_path), 2, "can't read a.yaml")
    assert_one_line(rum("presets", "show", "empty", cwd=tmp_path), 2, "empty is empty")


def test_code_of_a_file_is_run_only_if_it_is_trusted(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "task: {name: copying}\ncell: {name: custom, factory: 'mine:Cell'}\n"
    )
    result = rum("presets", "show", "mine.yaml", "--summary", cwd=tmp_path)
    assert_one_line(result, 2, "--trust-code")
