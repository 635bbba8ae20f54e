import pytest

from rumcli.config import presets


@pytest.fixture
def _shipped_presets_are_parsed_once(monkeypatch):
    read = presets.read
    known = {name: read(name) for name in ("copying", "recall", "babi", "ptb")}
    monkeypatch.setattr(presets, "read", lambda name: known.get(name) or read(name))
