import json

import yaml

from rumcli.config import presets
from tests.cli.commands import rum


def test_presets_are_listed_with_what_they_are(tmp_path):
    rows = json.loads(rum("presets", "list", "--json", cwd=tmp_path).stdout)
    assert [row["name"] for row in rows] == presets.names()
    assert all(row["description"] and row["task"] for row in rows)
    shown = rum("presets", "list", cwd=tmp_path).stdout
    assert all(row["name"] in shown for row in rows)


def test_a_preset_is_shown_as_yaml(tmp_path):
    shown = rum("presets", "show", "recall", cwd=tmp_path).stdout
    assert yaml.safe_load(shown)["task"]["name"] == "recall"


def test_a_copied_preset_can_be_changed_and_used(tmp_path):
    copied = rum("presets", "copy", "recall", "mine.yaml", cwd=tmp_path)
    assert copied.stderr == "wrote mine.yaml; to use it: rum train --preset mine.yaml\n"
    path = tmp_path / "mine.yaml"
    path.write_text(path.read_text().replace("units: 50", "units: 33"))
    dry = rum("train", "--preset=mine.yaml", "--dry-run", "--json", cwd=tmp_path)
    assert json.loads(dry.stdout)["cell"]["units"] == 33
