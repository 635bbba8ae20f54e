"""What README and docs say is there is there."""

import re
import shlex
from pathlib import Path

import pytest

from rumcli import config
from rumcli.config import RunConfig, schema
from tests.cli.commands import rum

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def keys(model=RunConfig, path=""):
    for key, field in model.model_fields.items():
        models = schema.models_in(field.annotation)
        if models and not path:
            for inner in models.values():
                yield from keys(inner, f"{key}.")
        else:  # what is in a cell within a cell is described with the cell
            yield f"{path}{key}"


@pytest.mark.parametrize("key", sorted(set(keys())))
def test_every_key_is_documented(key):
    assert f"`{key}`" in (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL):
        for line in block.splitlines():
            yield from (part.strip() for part in line.split("&&") if "rum train" in part)


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_every_training_command_of_the_readme_is_valid(command, tmp_path):
    arguments = shlex.split(command.partition("rum ")[2])
    result = rum(*arguments, "--dry-run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("option", "section"), [("--cell", "cell"), ("TASK", "task")], ids=["cells", "tasks"]
)
def test_help_names_all_there_are(tmp_path, option, section):
    shown = " ".join(rum("train", "--help", cwd=tmp_path).stdout.split())
    described = shown.partition(f" {option} ")[2][:300]
    assert [name for name in config.names(section) if name not in described] == []
