"""Keys, links, pages and names in README and docs exist."""

import re
from pathlib import Path

import pytest
import yaml

from docs import generate
from rumcli import config
from rumcli.config import RunConfig, schema
from tests.cli.commands import rum

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


def keys(model=RunConfig, path=""):
    for key, field in model.model_fields.items():
        models = schema.models_in(field.annotation)
        if models and not path:
            for inner in models.values():
                yield from keys(inner, f"{key}.")
        else:  # options of an inner cell are documented with that cell
            yield f"{path}{key}"


@pytest.mark.parametrize("key", sorted(set(keys())))
def test_every_key_is_documented(key):
    assert f"`{key}`" in (DOCS / "configuration.md").read_text(encoding="utf-8")


def anchors(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        there = page.parent / file if file else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def pages_in(entries):
    for entry in entries:
        for target in entry.values():
            yield from [target] if isinstance(target, str) else pages_in(target)


def navigation():
    return list(pages_in(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))


def test_the_start_page_leads_to_every_other():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [page for page in navigation() if page != "index.md" and f"]({page}" not in text] == []


def test_every_page_is_in_the_navigation_of_the_site_once():
    assert sorted(set(navigation())) == sorted(page.name for page in DOCS.glob("*.md"))
    assert len(navigation()) == len(set(navigation()))


@pytest.mark.parametrize(("name", "text"), generate.pages().items(), ids=generate.pages())
def test_generated_files_are_up_to_date(name, text):
    assert (DOCS / name).read_text(encoding="utf-8") == text, "run: python -m docs.generate"


def test_command_help_has_no_markup():
    assert generate._cell("[bold]one[/bold] [red]two[/red]\nof [B, T, H], a < b") == (
        "one two of [B, T, H], a &lt; b"
    )


def test_help_lists_all_tasks(tmp_path):
    shown = " ".join(rum("train", "--help", cwd=tmp_path).stdout.split())
    described = shown.partition(" TASK ")[2][:300]
    assert [name for name in config.names("task") if name not in described] == []
