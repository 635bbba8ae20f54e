import yaml

from rumcli import config
from rumcli.config import presets
from tests.cli.commands import rum
from tests.documents import validated

NARROW = {"COLUMNS": "60"}


def test_presets_are_listed_with_what_they_are(tmp_path):
    rows = validated(rum("presets", "list", "--json", cwd=tmp_path).stdout, "presets-list")[
        "presets"
    ]
    assert [row["name"] for row in rows] == presets.names()
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
    dry = rum("train", "--preset=mine.yaml", "--dry-run", "--json", cwd=tmp_path)
    assert validated(dry.stdout, "train-dry-run")["config"]["cell"]["units"] == 33


def test_the_model_of_a_preset_is_summarised(tmp_path):
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
    assert found["config"] == yaml.safe_load(presets.path_of("recall").read_text())


def test_the_small_preset_of_ptb_is_the_one_that_the_task_has_by_itself():
    assert config.build("ptb_rum_small") == config.build("ptb")
