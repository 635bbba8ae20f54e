"""Console output: results to stdout, progress and messages to stderr."""

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

from rumcli import atomic_io, errors, signals
from rumcli.errors import ConfigError

if TYPE_CHECKING:
    from rumcli.json_schemas.base import Document

_LONGEST = 2000  # characters of an error message
_SECONDS_BETWEEN_LINES = 10.0
UNENCODABLE = "rum.unencodable"  # error handler for characters that the encoding of a stream lacks


def _replaced(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    wrong = atomic_io.readable(error.object[error.start : error.end])
    return "".join(c if c.isascii() else "?" for c in wrong), error.end


codecs.register_error(UNENCODABLE, _replaced)


class _Console(Console):
    # Rich's property has a setter too, which nothing calls.
    @property  # type: ignore[misc]
    def size(self) -> ConsoleDimensions:
        """Terminal size, also of a dumb terminal, which Rich always reports as 80 columns."""
        if self.is_dumb_terminal:
            return Console(file=self.file, force_terminal=False).size
        return super().size


class _ProgressConsole(_Console):
    def on_broken_pipe(self) -> None:
        """Suppress further output after the reader, such as `head`, exits; the run continues."""
        self.quiet = True


def is_live() -> bool:
    """Return whether messages go to a terminal or notebook that can redraw lines."""
    if Console().is_jupyter:  # Rich redraws with widgets there
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
    """Return whether stdout is a terminal that can redraw lines."""
    return sys.stdout is not None and sys.stdout.isatty() and not stdout().is_dumb_terminal


def nowhere() -> Console:
    """Return a console that acts as a terminal and discards its output."""
    return Console(file=io.StringIO(), force_terminal=True, force_jupyter=False)


def show(renderable: RenderableType) -> None:
    """Print a table or text to stdout."""
    stdout().print(renderable)


def show_document(document: Document) -> None:
    """Print a JSON document to stdout."""
    _stdout().write(atomic_io.to_json(document.to_dict(), indent=2) + "\n")


def text_of(*renderables: RenderableType) -> str:
    """Render tables or text as plain text."""
    file = io.StringIO()
    console = _Console(file=file, force_terminal=False, force_jupyter=False, color_system=None)
    for renderable in renderables:
        console.print(renderable, soft_wrap=isinstance(renderable, Text))  # do not wrap text
    return file.getvalue().rstrip("\n")


def show_text(text: str) -> None:
    """Print text to stdout unchanged."""
    text = atomic_io.readable(text)
    _stdout().write(text if text.endswith("\n") else text + "\n")


def complain(message: str) -> None:
    """Print one line about an error to stderr, truncated and without control characters."""
    message = atomic_io.readable(message)
    line = " ".join("".join(c if c.isprintable() else " " for c in message).split())
    if len(line) > _LONGEST:  # keep the error at its start and the remedy at its end
        line = f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"
    note(f"rum: error: {line}")


def note(message: str) -> None:
    """Print a message to stderr, unless it is closed."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{atomic_io.readable(message)}\n")


def binary_stdout() -> IO[bytes]:
    """Return stdout as a binary stream.

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
    """Show the current activity on stderr while the block runs.

    A terminal shows one line, which is redrawn. A pipe receives a line for the first activity, and
    then at most one every ten seconds.

    Yields:
        A function that takes a description of the next activity.
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
    """Lines about a long activity: the first immediately, then at most one every ten seconds."""

    def __init__(self) -> None:
        self._last = -math.inf

    def update(self, text: str) -> None:
        """Print the line, unless the previous one was printed within ten seconds."""
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            note(text)


def check_new_file(path: Path, force: bool) -> None:
    """Check that a file can be written, before the computation of its content.

    Raises:
        ConfigError: If the file exists, or its directory does not.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is not a regular file; choose another name")
    if path.exists() and not force:
        how = errors.option("--force", True)
        raise ConfigError(f"{path} exists; choose another name, or {how} to replace it")
    if not path.resolve().parent.is_dir():
        raise ConfigError(f"can't write {path}: No such file or directory")


@contextlib.contextmanager
def new_file(path: Path, force: bool) -> Iterator[IO[bytes]]:
    """Open a file for atomic writing: a failed block leaves no partial file.

    Args:
        path: File to write.
        force: Whether to replace an existing file.

    Raises:
        ConfigError: If the file exists or cannot be written.
    """
    try:
        target = path.resolve()  # keep a symbolic link
        check_new_file(path, force)
        with atomic_io.replacing(target) as file:
            yield file
    except OSError as error:
        raise ConfigError(f"can't write {path}: {error.strerror or error}") from error
