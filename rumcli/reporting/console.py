"""Where output goes: results to stdout, everything about the way there to stderr."""

from __future__ import annotations

import codecs
import contextlib
import importlib.util
import io
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rich.console import Console, ConsoleDimensions, RenderableType
from rich.text import Text

from rumcli import atomic_io, signals
from rumcli.errors import ConfigError

if TYPE_CHECKING:
    from rumcli.json_schemas.base import Document

_LONGEST = 2000  # characters of a line about an error
_SECONDS_BETWEEN_LINES = 10.0
UNENCODABLE = "rum.unencodable"  # the handler of what a stream's encoding does not have


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    wrong = atomic_io.readable(error.object[error.start : error.end])
    return "".join(c if c.isascii() else "?" for c in wrong), error.end


codecs.register_error(UNENCODABLE, _replaced)


class _Console(Console):
    @property
    def size(self) -> ConsoleDimensions:
        """Return the columns and lines, also of a dumb terminal: Rich takes all of these for 80."""
        if self.is_dumb_terminal:
            return Console(file=self.file, force_terminal=False).size
        return super().size


class _ProgressConsole(_Console):
    def on_broken_pipe(self) -> None:
        """Fall silent: whoever read is gone, as `head` is, and that must not end a run."""
        self.quiet = True


def is_live() -> bool:
    """Tell whether messages go to a terminal, or to a notebook, that can redraw lines."""
    if Console().is_jupyter:  # where Rich redraws with widgets
        return importlib.util.find_spec("ipywidgets") is not None
    if sys.stderr is None or not sys.stderr.isatty() or "CI" in os.environ:
        return False
    return not Console(stderr=True).is_dumb_terminal


def stderr() -> Console:
    """Return the console for progress and messages."""
    return _ProgressConsole(stderr=True)


def stdout() -> Console:
    """Return the console for results."""
    return _Console(file=_stdout())


def is_terminal() -> bool:
    """Tell whether stdout is a terminal that can redraw lines."""
    return sys.stdout is not None and sys.stdout.isatty() and not stdout().is_dumb_terminal


def nowhere() -> Console:
    """Return a console like a terminal's, of which nothing is seen."""
    return Console(file=io.StringIO(), force_terminal=True, force_jupyter=False)


def show(renderable: RenderableType) -> None:
    """Print a table or text to stdout."""
    stdout().print(renderable)


def show_document(document: Document) -> None:
    """Print a JSON document to stdout."""
    _stdout().write(atomic_io.to_json(document.to_dict(), indent=2) + "\n")


def text_of(*renderables: RenderableType) -> str:
    """Return tables or text as plain text."""
    file = io.StringIO()
    console = _Console(file=file, force_terminal=False, force_jupyter=False, color_system=None)
    for renderable in renderables:
        console.print(renderable, soft_wrap=isinstance(renderable, Text))  # one line stays one
    return file.getvalue().rstrip("\n")


def show_text(text: str) -> None:
    """Print text to stdout as it is."""
    text = atomic_io.readable(text)
    _stdout().write(text if text.endswith("\n") else text + "\n")


def complain(message: str) -> None:
    """Print one line about an error to stderr, not too long, without control characters."""
    message = atomic_io.readable(message)
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    if len(line) > _LONGEST:  # what is wrong stands at its beginning, what to do at its end
        line = f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"
    note(f"rum: error: {line}")


def note(message: str) -> None:
    """Print a message to stderr, if there is one that takes it."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{atomic_io.readable(message)}\n")


def binary_stdout() -> IO[bytes]:
    """Return stdout for bytes.

    Raises:
        ConfigError: If it is closed.
    """
    return _stdout().buffer


def _stdout() -> Any:
    if sys.stdout is None:
        raise ConfigError("stdout is closed; there is no place for the output")
    return sys.stdout


@contextlib.contextmanager
def status() -> Iterator[Callable[[str], None]]:
    """Show on stderr what is going on while the block runs.

    In a terminal that is one line, which is redrawn. In a pipe the first activity has a line, and
    later ones have at most one every ten seconds.

    Yields:
        A function that receives a description of the next activity.
    """
    if not is_live():
        yield _StatusLines().update
        return
    console = stderr()

    def write(text: str) -> None:
        console.print(Text(text))

    with console.status("starting") as line, signals.shown_by(write):
        yield lambda text: line.update(Text(text))


class _StatusLines:
    """Lines about a long activity: the first at once, then at most one every ten seconds."""

    def __init__(self) -> None:
        self._last = -math.inf

    def update(self, text: str) -> None:
        """Print the line, unless the one before was printed a moment ago."""
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            note(text)


def check_new_file(path: Path, force: bool) -> None:
    """Make sure that a file can be written, before the work whose result it shall have.

    Raises:
        ConfigError: If it exists, or its folder does not.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is not a regular file; choose another name")
    if path.exists() and not force:
        raise ConfigError(f"{path} exists; choose another name, or --force to replace it")
    if not path.resolve().parent.is_dir():
        raise ConfigError(f"can't write {path}: No such file or directory")


@contextlib.contextmanager
def new_file(path: Path, force: bool) -> Iterator[IO[bytes]]:
    """Open a file that is there in the end, whole, or not at all.

    Args:
        path: The file.
        force: Whether to replace it if it exists.

    Raises:
        ConfigError: If it exists, or can't be written.
    """
    try:
        target = path.resolve()  # a link stays one
        check_new_file(path, force)
        with atomic_io.replacing(target) as file:
            yield file
    except OSError as error:
        raise ConfigError(f"can't write {path}: {error.strerror or error}") from error
