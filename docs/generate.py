"""Write the files generated from the package: `cli.md`, `presets.md` and the JSON schemas.

From the root of the repository: `python -m docs.generate`. A test fails when a file differs from
the commands, presets and documents of the package.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from rumcli import documents
from rumcli.cli.app import app
from rumcli.config import presets, yaml_file

FOLDER = Path(__file__).parent
_NOTE = "<!-- Made by `python -m docs.generate`; changes by hand are lost. -->"


def pages() -> dict[str, str]:
    """Return the text of each file by its path in this directory."""
    return {"cli.md": commands_page(), "presets.md": presets_page(), **schemas()}


def schemas() -> dict[str, str]:
    """Return the JSON schema of each document by its path in this directory."""
    return {
        f"schemas/{model.file_name()}": json.dumps(
            model.json_schema(), indent=2, ensure_ascii=False
        )
        + "\n"
        for model in documents.models().values()
    }


def commands_page() -> str:
    """Describe every command: what it does, its arguments and options with their defaults."""
    root = typer.main.get_command(app)
    parts = [
        "# Commands",
        _NOTE,
        "Every command with all that it takes, as `--help` shows it. [Runs](runs.md#exit-codes) "
        "has the exit codes.",
        _table(
            ("command", "what it does"),
            [
                (f"[`{path}`](#{path.replace(' ', '-')})", _summary(command))
                for path, command in _commands(root, "rum")
            ],
        ),
    ]
    for path, command in _commands(root, "rum"):
        parts += _section(path, command)
    return "\n\n".join(parts) + "\n"


def presets_page() -> str:
    """Describe every preset: what it is for, and its settings."""
    parts = [
        "# Presets",
        _NOTE,
        "A preset is a file with some keys of a [configuration](configuration.md); the others have "
        "their defaults. `rum train copying` takes the preset of that name, `--preset NAME` another"
        " one, and options change single values. `rum presets copy NAME` gives you the file, to "
        "change it and to train with `--preset FILE`.",
        _table(
            ("preset", "task", "what it is"),
            [
                (
                    f"[`{name}`](#{name})",
                    f"`{values['task']['name']}`",
                    _cell(values["description"]),
                )
                for name, values in _presets()
            ],
        ),
    ]
    for name, values in _presets():
        task = values["task"]["name"]
        command = f"rum train {task}" + ("" if name == task else f" --preset {name}")
        text = presets.path_of(name).read_text(encoding="utf-8").strip()
        data = " --data FILE" if task == "ptb" else ""
        parts += [f"## {name}", f"    {command}{data}", f"```yaml\n{text}\n```"]
    return "\n\n".join(parts) + "\n"


def _presets() -> list[tuple[str, dict[str, Any]]]:
    return [(name, yaml_file.read(presets.path_of(name)).values) for name in presets.names()]


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        inner = f"{path} {name}"
        if hasattr(command, "commands"):
            yield from _commands(command, inner)
        elif not command.hidden:
            yield inner, command


def _section(path: str, command: Any) -> list[str]:
    context = typer.Context(command, info_name=path)
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    options = [param for param in shown if param.param_type_name == "option"]
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    usage = re.sub(r"[{}]", "", usage).replace("......", "...")
    parts = [
        f"## {path}",
        f"    {usage}",
        _paragraphs(command.help),
    ]
    if arguments:
        rows = [(_code(_name(argument)), _help(argument)) for argument in arguments]
        parts.append(_table(("argument", "meaning"), rows))
    if options:
        rows = [(_code(_name(option)), _help(option), _default(option)) for option in options]
        parts.append(_table(("option", "meaning", "default"), rows))
    return parts


def _name(param: Any) -> str:
    if param.param_type_name == "argument":
        return param.display_name_raw
    names = "/".join([*param.opts, *param.secondary_opts])
    return names if param.is_flag else f"{names} {_value(param)}"


def _value(option: Any) -> str:
    # What Typer makes of a type is `<text>`; a path and a list have a word that says more.
    if option.metavar:
        return option.metavar
    return "PATH" if "Path" in str(option.type_descriptor.annotation) else "<text>"


def _help(param: Any) -> str:
    text = _cell(param.help)
    return f"{text} Required." if param.required else text


def _default(option: Any) -> str:
    # Many helps name their default in words, such as "the preset's".
    if option.default in (None, False, [], ()):
        return ""
    if option.is_flag:
        return _code(option.opts[0])
    return _code(str(option.default))


def _code(text: str) -> str:
    if "|" not in text:
        return f"`{text}`"
    # In a table each dialect of Markdown has its own way with a bar in code; HTML has one.
    return f"<code>{html.escape(text).replace('|', '&#124;')}</code>"


def _summary(command: Any) -> str:
    return _cell((command.help or "").split("\n\n")[0])


def _paragraphs(markup: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in _plain(markup).split("\n\n"))


def _plain(markup: str | None) -> str:
    """Return help as it is shown: without Rich's markup, and safe in Markdown."""
    text = Text.from_markup(markup or "").plain
    return re.sub(r"([*`|])", r"\\\1", text).replace("<", "&lt;")


def _cell(markup: str | None) -> str:
    return " ".join(_plain(markup).split())


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
