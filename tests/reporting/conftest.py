import pytest


@pytest.fixture
def figures(monkeypatch):
    """Collect the Matplotlib figures that are saved, instead of writing their files."""
    figure = pytest.importorskip("matplotlib.figure").Figure
    written = []
    monkeypatch.setattr(figure, "savefig", lambda self, *_, **__: written.append(self))
    return written
