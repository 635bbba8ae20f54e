"""The documentation as a site: pages render as they read, and load nothing from elsewhere."""

import html.parser
import re
import subprocess
import sys
from pathlib import Path

import markdown
import pytest
import yaml

from .test_docs import DOCS

ROOT = Path(__file__).parent.parent


class Rendered(html.parser.HTMLParser):
    """Separate the code blocks of a page from the text around them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.code, self.prose, self._depth = "", "", 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self._depth += tag == "pre"

    def handle_endtag(self, tag):
        self._depth -= tag == "pre"

    def handle_data(self, data):
        if self._depth:
            self.code += data
        else:
            self.prose += data


def rendered(text):
    """Render a page as the site does, but for the API reference, which mkdocstrings fills in."""
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    extensions = {}
    for one in settings["markdown_extensions"]:
        name, options = next(iter(one.items())) if isinstance(one, dict) else (one, {})
        extensions[name] = options
    return Rendered(
        markdown.markdown(text, extensions=list(extensions), extension_configs=extensions)
    )


def code_lines(text):
    """Return the lines that are meant as code: between fences, or indented like a block."""
    text = re.sub(r"^::: .*\n(?:(?: {4}.*)?\n)*", "", text, flags=re.MULTILINE)  # mkdocstrings
    is_fenced = False
    for line in text.expandtabs(4).splitlines():
        if line.lstrip().startswith("```"):
            is_fenced = not is_fenced
        elif line.strip() and (is_fenced or line.startswith("    ")):
            yield line.strip()


def prose_of_code(text):
    """Return the lines of code that a page shows as text."""
    page = rendered(text)
    shown = {line.strip() for line in page.code.splitlines()}
    marks = [line for line in page.prose.splitlines() if "```" in line]
    return marks + [line for line in code_lines(text) if line not in shown]


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_no_page_renders_code_as_prose(page):
    assert prose_of_code(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "- an item:\n\n      import keras\n",  # too far left for a block within an item
        "```sh\nrum doctor\n",  # never closed
        "text\n    rum doctor\n",
    ],
)
def test_code_rendered_as_prose_is_detected(text):
    assert prose_of_code(text)


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
    library = (tmp_path / "library" / "index.html").read_text(encoding="utf-8")
    assert "Size of the state, H." in library
    assert "&gt;&gt;&gt;" not in re.sub(r"<pre.*?</pre>", "", library, flags=re.DOTALL)
