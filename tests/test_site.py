"""The documentation can be built as a site, and the site needs nothing of others."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .test_docs import DOCS

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    # given
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")

    # when
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    # then
    assert built.returncode == 0, built.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(list(DOCS.glob("*.md")))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(
            r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"?(https?:[^\" >]+)", text
        )
        assert loaded == [], page
    api = (tmp_path / "api" / "index.html").read_text(encoding="utf-8")
    assert "Size of the state, H." in api
