"""Exceptions with messages for users, and the wording of these messages."""

from __future__ import annotations

import contextlib
import difflib
import re
import reprlib
import shlex
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

_in_python: ContextVar[bool] = ContextVar("in_python", default=False)
_LONGEST = 100  # number of characters of a value in a message


class RumError(Exception):
    """Base class of errors with a one-line message; commands exit with `exit_code`."""

    exit_code = 1


class ConfigError(RumError):
    """Invalid input: a name, a value or a file."""

    exit_code = 2


class RunError(RumError):
    """Failure during a run, or damage to its files."""


class Stopped(SystemExit):
    """Raised when a signal stopped a run after everything was saved.

    It derives from `BaseException`, so that `except Exception` does not catch it.

    Attributes:
        message: Message with the command that resumes the run.
        signal: Number of the signal.
    """

    def __init__(self, message: str, signal: int) -> None:
        super().__init__(128 + signal)
        self.message = message
        self.signal = signal


# TensorFlow has an exception class for it, and JAX a word in the message. PyTorch has a class for
# GPUs and a message for the CPU.
_OUT_OF_MEMORY = {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}

_NO_MEMORY_LEFT = ("RESOURCE_EXHAUSTED", "DefaultCPUAllocator")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of Python or of a backend means that memory is exhausted."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & _OUT_OF_MEMORY) or any(word in str(error) for word in _NO_MEMORY_LEFT)


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = _LONGEST
        self.maxlevel = 3

    def repr_int(self, value: int, level: int) -> str:
        """Return the digits of a number, or its size: Python limits conversion to decimal."""
        is_long = value.bit_length() > 4 * _LONGEST
        return f"a number of {value.bit_length():,} bits" if is_long else repr(value)


@contextlib.contextmanager
def for_python() -> Iterator[None]:
    """Write messages for a caller in Python while the block runs."""
    token = _in_python.set(True)
    try:
        yield
    finally:
        _in_python.reset(token)


class Metavar(str):
    """Placeholder for a value in a message, such as PATH."""


def option(flag: str, value: object = None, name: str | None = None) -> str:
    """Return an option as the caller writes it: `--steps 5`, or `steps=5` in Python.

    Args:
        flag: Option of the command line, such as `--steps`, or name of an argument, such as `TASK`.
        value: Value of the option; True for one without a value; None to name the option alone.
        name: Name of the Python argument; None: that of the flag.
    """
    if _in_python.get():
        name = name or flag.removeprefix("--").replace("-", "_").lower()
        return name if value is None else f"{name}={clipped(_literal(value))}"
    if value is None or value is True:
        return flag
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{flag} {clipped(text)}"


def call(command: str, *arguments: object, **options: object) -> str:
    """Return a command, or the equivalent call in Python.

    Args:
        command: Command that has a function of the same name.
        *arguments: Arguments; a `Metavar` is not quoted.
        **options: Options by the names of the Python arguments; True for one without a value.
    """
    if _in_python.get():
        given = [*map(_literal, arguments), *(f"{k}={_literal(v)}" for k, v in options.items())]
        return f"rumcli.{command}({', '.join(given)})"
    words = [_word(argument) for argument in arguments]
    for name, value in options.items():
        words.append(f"--{name.replace('_', '-')}")
        words += [] if value is True else [_word(value)]
    return " ".join(["rum", command, *words])


def _literal(value: object) -> str:
    if isinstance(value, Metavar):
        return str(value)
    return repr(str(value) if isinstance(value, Path) else value)


def _word(value: object) -> str:
    return str(value) if isinstance(value, Metavar) else shlex.quote(str(value))


def shown(value: Any) -> str:
    """Return a shortened `repr` of a value."""
    return _Short().repr(value)


def clipped(text: str) -> str:
    """Return a text, truncated if it is long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line, or its type if it has no message."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]} …"


def number(value: float) -> str:
    """Return a number as text: integers with all digits, floats in short form."""
    return str(value) if isinstance(value, int) else f"{value:.15g}"


def plural(noun: str) -> str:
    """Return the plural of an English noun: `keys`, `axes`, `losses`."""
    if noun.endswith("axis"):
        return f"{noun[:-2]}es"
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Return a one-line message about an unknown name, with the nearest valid name.

    Args:
        kind: Noun for the name, as in "cell".
        name: Unknown name.
        known: Valid names.
    """
    known = list(known)
    name = name[: 2 * _LONGEST]  # longer than any valid name
    nearest = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = ""
    if nearest and not _differs_in_size(name.lower(), nearest[0]):
        hint = f"did you mean '{nearest[0]}'? "
    return f"unknown {kind} '{clipped(name)}'; {hint}{plural(kind)}: {', '.join(known)}"


def _differs_in_size(name: str, other: str) -> bool:
    """Return whether two names differ only in digits, as float16 and float64, not by a typo."""
    words = [re.sub(r"\d", "", one) for one in (name, other)]
    digits = [sorted(re.findall(r"\d", one)) for one in (name, other)]
    return words[0] == words[1] and digits[0] != digits[1]
