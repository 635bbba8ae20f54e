import pytest

from rumcli.config import preset_files


@pytest.fixture
def _shipped_presets_are_parsed_once(monkeypatch):
    read = preset_files.read
    known = {name: read(name) for name in ("copying", "recall", "babi", "ptb")}
    monkeypatch.setattr(preset_files, "read", lambda name: known.get(name) or read(name))
