"""`rum gen-data ptb`: create the directory with the three files of Penn Treebank."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli.cli import _options
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.json_schemas.base import Document
    from rumcli.tasks.char_lm.penn_treebank import TextFile


def ptb(
    source: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|ARCHIVE|URL",
            help="Source of the text: a directory, a .zip or .tar file, or its http(s) address. "
            "Without it, the command prints the known sources and their terms.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Output directory.")] = Path("data/ptb"),
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Verify the three files of Penn Treebank, and copy them into a directory to train on."""
    from rumcli.tasks.char_lm import penn_treebank

    if source is None:
        raise ConfigError(penn_treebank.WHERE)
    files = penn_treebank.FILES
    missing = [file for file in files if not _is_there(file, out, force)]
    if missing:
        with console.status() as say:
            if source.startswith(("http://", "https://")):
                say(f"downloading {source}")
            texts = penn_treebank.read(source, missing)
        _write(texts, out, force)
        names = ", ".join(texts)
        use = f"to train on it: rum train ptb --data {shlex.quote(str(out))}"
        console.note(f"wrote {names} to {out}; {use}")
    else:
        console.note(f"{out} has the three files already; they are the right ones")
    if as_json:
        console.show_document(_result(files, missing, out))


def _is_there(file: TextFile, folder: Path, force: bool) -> bool:
    """Return whether a directory has a file; raise early if it cannot be written there."""
    try:
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"--out {folder} is a file; expected a folder")
        if file.is_at(folder / file.name):
            return True
        if folder.is_dir():
            console.check_new_file(folder / file.name, force)
    except OSError as error:
        raise ConfigError(f"can't read {folder / file.name}: {error.strerror}") from error
    return False


def _write(texts: Mapping[str, bytes], folder: Path, force: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"can't make {folder}: {error.strerror or error}") from error
    with contextlib.ExitStack() as stack:  # moved into place after all are written
        for name, content in texts.items():
            file = stack.enter_context(console.new_file(folder / name, force))
            file.write(content)
            file.flush()


def _result(files: tuple[TextFile, ...], written: list[TextFile], folder: Path) -> Document:
    from rumcli.json_schemas import data

    return data.TextFiles(
        folder=str(folder),
        files=[
            data.TextFile(
                path=str(folder / file.name),
                bytes=file.size,
                sha256=file.sha256,
                written=file in written,
            )
            for file in files
        ],
    )
