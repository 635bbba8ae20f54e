import pytest

from rumcli.config import catalog


@pytest.fixture
def _shipped_presets_are_parsed_once(monkeypatch):
    read = catalog.read_preset
    known = {name: read(name) for name in ("copying", "recall", "babi", "ptb")}
    monkeypatch.setattr(catalog, "read_preset", lambda name: known.get(name) or read(name))
