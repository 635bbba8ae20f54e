"""Every command that README, docs and examples show is one that `rum` understands."""

import ast
import functools
import re
import shlex
from pathlib import Path

import pytest
import typer

from rumcli import config
from rumcli.cli import _options, app
from tests.cli import in_process

from .test_docs import PAGES, ROOT

EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_file())
_ENDS = {"&&", "||", "|", ";", "then", "else", "fi"}


def code_of(text):
    """Return the code on a page: blocks with fences, indented ones, and what stands in a line."""
    fenced = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    indented = re.findall(r"(?:^ {4}.*\n)+", text, flags=re.MULTILINE)
    inline = re.findall(r"`([^`\n]+)`", text)
    return [*fenced, *indented], inline


def commands_in(code):
    """Yield the arguments of each `rum` in a piece of shell."""
    for line in code.replace("\\\n", " ").splitlines():
        if "rum " not in line:
            continue
        words = [
            word for word in shlex.split(line.strip(), comments=True) if word != "${OPTIONS:-}"
        ]
        while words:
            end = next((n for n, word in enumerate(words) if word in _ENDS), len(words))
            part, words = words[:end], words[end + 1 :]
            while part and re.fullmatch(r"\w+=.*", part[0]):  # variables
                del part[0]
            if part and Path(part[0]).name == "rum":
                redirected = next((n for n, word in enumerate(part) if word[:1] == ">"), len(part))
                yield tuple(part[1:redirected])


def text_of(path):
    """Return a page, the docstring of a script, or the comments of a YAML file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return ast.get_docstring(ast.parse(text)) + "\n"
    if path.suffix == ".yaml":
        return "".join(re.findall(r"^# ?(.*\n)", text, flags=re.MULTILINE))
    return text


def commands():
    found = {}
    for page in [*PAGES, *EXAMPLES]:
        text = text_of(page)
        if page.name == "cli.md":  # its indented blocks are forms of usage
            text = re.sub(r"^ {4}.*\n", "", text, flags=re.MULTILINE)
        blocks, inline = code_of(text)
        for code in [*blocks, *inline]:
            for arguments in commands_in(code):
                found.setdefault(arguments, page.name)
    return [
        pytest.param(arguments, id=f"{page}: {shlex.join(arguments)}")
        for arguments, page in found.items()
    ]


@functools.cache
def whole_command():
    """Return the command with all subcommands: building it takes 40 ms."""
    return typer.main.get_command(app.app)


def parsed(arguments):
    """Parse as `rum` does, and run nothing.

    Raises:
        typer.TyperException: As the command would.
    """
    command, rest, path = whole_command(), list(arguments), "rum"
    while hasattr(command, "commands"):
        name = rest.pop(0) if rest else "--help"
        if name.startswith("-"):
            assert name in ("--help", "--version", "--install-completion"), name
            return None
        if name.isupper():  # it stands for any
            return None
        assert name in command.commands, f"'{path} {name}' is no command"
        command, path = command.commands[name], f"{path} {name}"
    if "--help" in rest or not rest:  # to name a command is not to call it
        return None
    return command.make_context(path, rest)


@pytest.mark.parametrize("arguments", commands())
def test_documented_commands_and_options_exist(arguments):
    parsed(arguments)


def leaves(command, name=""):
    for word, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, f"{name} {word}".strip())
    if not hasattr(command, "commands"):
        yield name


@pytest.mark.parametrize("command", list(leaves(whole_command())))
def test_help_ends_with_two_or_three_examples_of_the_command(command, capsys):
    assert in_process.command()([*command.split(), "--help"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.rstrip().splitlines()]
    shown = lines[lines.index("Examples:") + 1 :]
    assert " ".join(shown) == " ".join(_options.examples_of(command))
    assert 2 <= len(_options.examples_of(command)) <= 3
    assert all(f"{line} ".startswith(f"rum {command} ") for line in _options.examples_of(command))


def test_documented_command_with_an_unknown_option_is_detected():
    with pytest.raises(typer.TyperException, match="--nrom"):
        parsed(("train", "copying", "--nrom", "2.0"))
    with pytest.raises(AssertionError, match="'rum trian' is no command"):
        parsed(("trian", "copying"))


def test_commands_are_found_in_all_forms_of_code():
    text = """See `rum eval RUN` and `arum`:

    python3 -m venv x && .venv/bin/rum train copying \\
        --cell arum > log
```sh
A=1 rum doctor | head # rum not this
```
"""
    blocks, inline = code_of(text)
    found = [arguments for code in [*blocks, *inline] for arguments in commands_in(code)]
    assert found == [
        ("doctor",),
        ("train", "copying", "--cell", "arum"),
        ("eval", "RUN"),
    ]


def is_whole(arguments):
    """Tell whether a command names its task, stands for nothing else, and needs no run."""
    placeholder = re.compile(r"[A-Z][A-Z.]*|.*[…$].*|.*config\.yaml")
    named = len(arguments) > 1 and not arguments[1].startswith("-")
    return named and "--resume" not in arguments and not any(map(placeholder.fullmatch, arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        command
        for command in commands()
        if command.values[0][:1] == ("train",) and is_whole(command.values[0])
    ],
)
def test_documented_training_commands_have_valid_configurations(
    arguments, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    code = in_process.command()([*arguments, "--dry-run", "--quiet"])
    assert code == 0, capsys.readouterr().err


def made_by(commands, capsys):
    """Return the folders of the runs that some commands make, numbered as they are."""
    made = []
    for arguments in commands:
        if arguments[0] == "train" and is_whole(arguments) and "--out" not in arguments:
            assert in_process.command()([*arguments, "--dry-run", "--quiet"]) == 0
            run = config.from_text(capsys.readouterr().out, "--dry-run")
            name = f"{run.task.label}-{run.cell.name}"
            made.append(f"{name}-{1 + sum(one.startswith(name) for one in made)}")
    return made


# On these the commands follow each other; other pages name runs that they do not make.
TUTORIALS = [ROOT / "README.md", ROOT / "docs/index.md", ROOT / "docs/runs.md", *EXAMPLES]


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.name)
def test_documented_commands_use_runs_of_earlier_commands(page, monkeypatch, capsys):
    monkeypatch.chdir(ROOT / "examples")
    blocks, _ = code_of(text_of(page))
    every = [arguments for code in blocks for arguments in commands_in(code)]
    named = set(re.findall(r"\bruns/([\w-]+-\d+)\b", "\n".join(map(shlex.join, every))))
    if page.suffix == ".py":
        named |= set(re.findall(r"([\w-]+-\d+)\.keras", text_of(page)))

    assert named <= set(made_by(every, capsys))
