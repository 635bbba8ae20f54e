"""The text of one file of bAbI, in the official format, checked line by line and read as stories.

Which file that is, and where it is, is in `official_files`.
"""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from collections.abc import Sequence

from rumcli.errors import ConfigError
from rumcli.tasks.babi.story import Line, Question, Statement, Story

_LONGEST = 1000  # bytes of a line; the published ones have at most 69
_MOST_LINES = 2**21
_MOST_READ = 2 * 10**7  # statements before a question, over all questions; published: under 10^6
_SHOWN = 40  # characters of a wrong text in a message
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_FIELDS = 3  # of a question's line: question, answer, supporting facts
_QUESTION = "expected: question, TAB, answer, TAB, numbers of supporting facts"


class _WrongLineError(Exception):
    """What is wrong with a line; which line it is comes from whoever knows."""


def parse(content: bytes, place: str) -> list[Story]:
    r"""Read the stories of a file.

    The file may begin with a byte-order mark. Lines may end in `\r\n`, the last one in nothing;
    blanks may stand at the end of a line and before and after a tab, and blank lines between
    stories. Everything else is as in the official files, in whatever language.

    Args:
        content: The whole file, in UTF-8.
        place: What messages call it.

    Returns:
        At least one story; each has a question.

    Raises:
        ConfigError: If it breaks the format, with the number of the line.
    """
    stories: list[list[Line]] = []
    starts: list[int] = []
    read = blank = 0
    for number, raw in enumerate(io.BytesIO(content.removeprefix(codecs.BOM_UTF8)), 1):
        if not raw.strip() and number <= _MOST_LINES:
            blank = number
            continue
        try:
            position, text = _numbered(raw)
            if position == 1:
                stories.append([])
                starts.append(number)
            earlier = stories[-1] if stories else []
            if position != len(earlier) + 1:
                raise _WrongLineError(_jump(position, len(earlier)))
            if earlier and blank == number - 1:
                raise _WrongLineError("a blank line is before it; expected those between stories")
            line = _line(text, earlier)
            # Each question goes with its own list of all that is before it.
            read += len(earlier) if isinstance(line, Question) else 0
            if number > _MOST_LINES or read > _MOST_READ:
                raise _WrongLineError("too much to keep; expected shorter stories, or fewer")
            earlier.append(line)
        except _WrongLineError as error:
            raise ConfigError(f"{place}, line {number}: {error}") from None
    if not stories:
        raise ConfigError(f"{place} is empty; expected stories in the format of bAbI")
    for start, lines in zip(starts, stories, strict=True):
        if not any(isinstance(line, Question) for line in lines):
            raise ConfigError(f"{place}, line {start}: the story that begins here has no question")
    return [Story(tuple(lines)) for lines in stories]


def _numbered(raw: bytes) -> tuple[int, str]:
    """Return the number that a line begins with, and the rest of it."""
    if len(raw) > _LONGEST:
        raise _WrongLineError(f"it has {len(raw):,} bytes; expected at most {_LONGEST:,}")
    try:
        line = raw.decode().removesuffix("\n").removesuffix("\r").rstrip(" ")
    except UnicodeDecodeError as error:
        wrong = f"byte {error.start + 1} of it, 0x{raw[error.start]:02X}"
        raise _WrongLineError(f"{wrong}, is no UTF-8") from None
    if control := next((c for c in line if c != "\t" and unicodedata.category(c) == "Cc"), None):
        raise _WrongLineError(f"it has the control character {control!r}")
    number, blank, text = line.partition(" ")
    if not blank or not _NUMBER.fullmatch(number):
        raise _WrongLineError(
            f"expected a number from 1 on and a blank at its start, found {_short(line)}"
        )
    return int(number), text


def _jump(position: int, earlier: int) -> str:
    if earlier == 0:
        return f"expected the number 1, since the first story begins here, found {position}"
    return (
        f"expected the number {earlier + 1}, or 1 for a new story, found {position}; each line's "
        "is one more than that before"
    )


def _line(text: str, earlier: Sequence[Line]) -> Line:
    fields = [field.strip(" ") for field in text.split("\t")]
    if len(fields) == 1:
        if fields[0].endswith("?"):
            raise _WrongLineError(f"there is no tab after the question; {_QUESTION}")
        return Statement(_sentence(fields[0]))
    if len(fields) != _FIELDS:
        raise _WrongLineError(f"a question has 2 tabs, this has {len(fields) - 1}; {_QUESTION}")
    question, answer, numbers = fields
    if not question.endswith("?"):
        raise _WrongLineError(f"a question ends with a question mark, {_short(question)} does not")
    if not answer:
        raise _WrongLineError(f"the answer is empty; {_QUESTION}")
    supporting = tuple(_supporting(number, earlier) for number in numbers.split(" ") if number)
    if not supporting:
        raise _WrongLineError(f"there are no supporting facts; {_QUESTION}")
    return Question(_sentence(question), answer, supporting)


def _sentence(text: str) -> str:
    # Hindi has a stop of its own, so that any mark will do; what was cut off has none.
    if len(text) < 2 or text[-1].isalnum() or text[-1].isspace():
        raise _WrongLineError(f"a sentence ends with a full stop, {_short(text)} does not")
    return text


def _supporting(text: str, earlier: Sequence[Line]) -> int:
    if not _NUMBER.fullmatch(text):
        raise _WrongLineError(f"{_short(text)} is no number of a supporting fact; {_QUESTION}")
    number = int(text)
    if number > len(earlier):
        raise _WrongLineError(
            f"there is no line {number} before line {len(earlier) + 1} of the story; a supporting "
            "fact is an earlier statement"
        )
    if not isinstance(earlier[number - 1], Statement):
        raise _WrongLineError(
            f"line {number} of the story is a question; a supporting fact is a statement"
        )
    return number


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
