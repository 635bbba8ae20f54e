"""Parser of the official bAbI text format, with line-by-line validation.

`official_files` locates the files.
"""

from __future__ import annotations

import codecs
import io
import re
import unicodedata
from collections.abc import Sequence

from rumcli.errors import ConfigError
from rumcli.tasks.babi.story import Line, Question, Statement, Story

_LONGEST = 1000  # bytes per line; at most 69 in the published files
_MOST_LINES = 2**21
_MOST_READ = 2 * 10**7  # statements before a question, summed over questions; published: < 10^6
_SHOWN = 40  # characters of invalid text quoted in a message
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_FIELDS = 3  # tab-separated fields of a question: text, answer, supporting facts
_QUESTION = "expected: question, TAB, answer, TAB, numbers of supporting facts"


class _WrongLineError(Exception):
    """A line that violates the format; the caller adds its number."""


def parse(content: bytes, place: str) -> list[Story]:
    r"""Parse the stories of a file.

    Deviations from the official format that are accepted, in any language: a byte-order mark,
    `\r\n` line endings, no newline at the end of the file, spaces at the end of a line and around
    tabs, and blank lines between stories.

    Args:
        content: Content of the file, in UTF-8.
        place: Location of the file, for messages.

    Returns:
        At least one story, each with at least one question.

    Raises:
        ConfigError: If a line violates the format; the message has the line number.
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
            # Each question keeps its own list of all statements before it: quadratic memory.
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
    """Split a line into its leading number and its text."""
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
    # Any final punctuation is accepted, as Hindi has its own full stop; a truncated line has none.
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
