"""bAbI stories of numbered statements and questions: text format, parser and official files.

The official text format is validated line by line. The files of a subtask are found in the official
archive, a directory, or a single file. Archives are read, never extracted.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import re
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rumcli.data import archives
from rumcli.data.splits import SPLITS, WORDS
from rumcli.errors import ConfigError
from rumcli.tasks.babi.config import SUBTASKS, subtask_name

# In the published files of these subtasks, a space precedes the tab after a question.
BLANK_BEFORE_TAB = frozenset({1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14})

_LONGEST = 1000  # bytes per line; at most 69 in the published files
_MOST_LINES = 2**21
_MOST_READ = 2 * 10**7  # statements before a question, summed over questions; published: < 10^6
_SHOWN = 40  # characters of invalid text quoted in a message
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")  # Unicode category Cc without the tab
_FIELDS = 3  # tab-separated fields of a question: text, answer, supporting facts
_QUESTION = "expected: question, TAB, answer, TAB, numbers of supporting facts"

_PREFERRED = ("en-10k", "en")
REQUIRED_SPLITS = ("train", "test")
_LARGEST = 2**26  # bytes per file; more than ten times the largest published file


def subtask_file_name(subtask: int, split: str) -> str:
    """Return the official name of a subtask's file, as in `qa5_three-arg-relations_train.txt`."""
    word = "valid" if split == "validation" else split
    return f"qa{subtask}_{subtask_name(subtask)}_{word}.txt"


@dataclass(frozen=True, slots=True)
class Statement:
    """A declarative sentence with its full stop, as in `Mary went to the kitchen.`."""

    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its answer.

    Args:
        text: Question with its question mark, without a space after it.
        answer: Answer in the official form: several words are joined by commas, without spaces.
        supporting: Line numbers in the story, from 1, of the supporting facts, in the order of
            the official files.
    """

    text: str
    answer: str
    supporting: tuple[int, ...]


Line = Statement | Question


@dataclass(frozen=True, slots=True)
class Story:
    """A sequence of lines, numbered from 1; questions count as lines."""

    lines: tuple[Line, ...]

    @property
    def questions(self) -> int:
        """Number of questions in the story."""
        return sum(isinstance(line, Question) for line in self.lines)

    def until(self, question: int) -> Story:
        """Return the story up to and including a question, numbered from 1."""
        numbers = [
            number for number, line in enumerate(self.lines, 1) if isinstance(line, Question)
        ]
        return Story(self.lines[: numbers[question - 1]])

    def text(self, subtask: int) -> str:
        """Return the story in the official file format of a subtask, 1 to 20."""
        tab = " \t" if subtask in BLANK_BEFORE_TAB else "\t"
        return "".join(f"{n} {_text(line, tab)}\n" for n, line in enumerate(self.lines, 1))


def to_text(stories: Iterable[Story], subtask: int) -> str:
    """Return the concatenated stories in the official format of a subtask."""
    return "".join(story.text(subtask) for story in stories)


def _text(line: Line, tab: str) -> str:
    if isinstance(line, Statement):
        return line.text
    return f"{line.text}{tab}{line.answer}\t{' '.join(map(str, line.supporting))}"


class _FormatError(Exception):
    """A line that violates the format; the caller adds its number."""


def parse_stories(content: bytes, place: str) -> list[Story]:
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
    num_read = blank = 0
    for number, raw in enumerate(io.BytesIO(content.removeprefix(codecs.BOM_UTF8)), 1):
        if not raw.strip() and number <= _MOST_LINES:
            blank = number
            continue
        try:
            position, text = _split_number(raw)
            if position == 1:
                stories.append([])
                starts.append(number)
            earlier = stories[-1] if stories else []
            if position != len(earlier) + 1:
                raise _FormatError(_number_error(position, len(earlier)))
            if earlier and blank == number - 1:
                raise _FormatError(
                    "a blank line precedes it; expected blank lines only between stories"
                )
            line = _line(text, earlier)
            # Each question keeps its own list of all statements before it: quadratic memory.
            num_read += len(earlier) if isinstance(line, Question) else 0
            if number > _MOST_LINES or num_read > _MOST_READ:
                raise _FormatError(
                    "the stories exceed the memory limit; expected shorter or fewer ones"
                )
            earlier.append(line)
        except _FormatError as error:
            raise ConfigError(f"{place}, line {number}: {error}") from None
    if not stories:
        raise ConfigError(f"{place} is empty; expected stories in the format of bAbI")
    for start, lines in zip(starts, stories, strict=True):
        if not any(isinstance(line, Question) for line in lines):
            raise ConfigError(f"{place}, line {start}: the story that starts here has no question")
    return [Story(tuple(lines)) for lines in stories]


def _split_number(raw: bytes) -> tuple[int, str]:
    """Split a line into its leading number and its text."""
    if len(raw) > _LONGEST:
        raise _FormatError(f"the line has {len(raw):,} bytes; expected at most {_LONGEST:,}")
    try:
        line = raw.decode().removesuffix("\n").removesuffix("\r").rstrip(" ")
    except UnicodeDecodeError as error:
        byte = f"byte {error.start + 1}, 0x{raw[error.start]:02X},"
        raise _FormatError(f"{byte} is not valid UTF-8") from None
    if control := _CONTROL.search(line):
        raise _FormatError(f"the line has the control character {control[0]!r}")
    number, blank, text = line.partition(" ")
    if not blank or not _NUMBER.fullmatch(number):
        raise _FormatError(
            f"expected a positive number and a space at the start, found {_short(line)}"
        )
    return int(number), text


def _number_error(position: int, earlier: int) -> str:
    if earlier == 0:
        return f"expected the number 1 at the start of the first story, found {position}"
    return f"expected the number {earlier + 1}, or 1 for a new story, found {position}"


def _line(text: str, earlier: Sequence[Line]) -> Line:
    fields = [field.strip(" ") for field in text.split("\t")]
    if len(fields) == 1:
        if fields[0].endswith("?"):
            raise _FormatError(f"the tab after the question is missing; {_QUESTION}")
        return Statement(_sentence(fields[0]))
    if len(fields) != _FIELDS:
        raise _FormatError(f"a question has 2 tabs, this one has {len(fields) - 1}; {_QUESTION}")
    question, answer, numbers = fields
    if not question.endswith("?"):
        raise _FormatError(f"a question ends with a question mark, {_short(question)} does not")
    if not answer:
        raise _FormatError(f"the answer is empty; {_QUESTION}")
    supporting = tuple(_supporting(number, earlier) for number in numbers.split(" ") if number)
    if not supporting:
        raise _FormatError(f"the supporting facts are missing; {_QUESTION}")
    return Question(_sentence(question), answer, supporting)


def _sentence(text: str) -> str:
    # Any final punctuation is accepted, as Hindi has its own full stop; a truncated line has none.
    if len(text) < 2 or text[-1].isalnum() or text[-1].isspace():
        raise _FormatError(f"a sentence ends with a full stop, {_short(text)} does not")
    return text


def _supporting(text: str, earlier: Sequence[Line]) -> int:
    if not _NUMBER.fullmatch(text):
        raise _FormatError(f"{_short(text)} is not the number of a supporting fact; {_QUESTION}")
    number = int(text)
    if number > len(earlier):
        raise _FormatError(
            f"there is no line {number} before line {len(earlier) + 1} of the story; a supporting "
            "fact is an earlier statement"
        )
    if not isinstance(earlier[number - 1], Statement):
        raise _FormatError(
            f"line {number} of the story is a question; a supporting fact is a statement"
        )
    return number


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


_SPLITS = {word: split for split, words in WORDS.items() for word in words}

_NAME = re.compile(rf"qa([1-9][0-9]?)(?:_.+)?_({'|'.join(_SPLITS)})\.txt(?:\.gz)?")


@dataclass(frozen=True)
class SubtaskFiles:
    """The files and stories of one subtask.

    Args:
        language: Name of the directory that contains the files, such as `en-10k`. Empty if
            unknown.
        places: Location of each split's file, for messages.
        stories: Stories by split: `"train"`, `"test"` and, if there is such a file,
            `"validation"`. A single file has only its own split.
    """

    language: str
    places: dict[str, str]
    stories: dict[str, list[Story]]


def read_subtask(
    path: Path, subtask: int, language: str | None = None, required: Sequence[str] = REQUIRED_SPLITS
) -> SubtaskFiles:
    """Read the stories of a subtask.

    Files are recognized by name, as in `qa5_three-arg-relations_train.txt`, or shorter, as in
    `qa5_train.txt`. The last word, one of `splits.WORDS`, identifies the split. Files may be
    gzip-compressed (`.gz`).

    Args:
        path: Archive, as for `archives.entries`; a directory with the files of one language, or
            with one such directory per language at most four levels below; or a single `.txt` or
            `.txt.gz` file.
        subtask: Number of the subtask, 1 to 20.
        language: Name of the directory to read if there are several. Defaults to `en-10k`, then
            `en`, then the only one. Not allowed for a single file.
        required: Splits that must be present.

    Returns:
        The files of the subtask and their stories.

    Raises:
        ConfigError: If a required split is missing, a split has two files, the language is
            ambiguous, or a file is unreadable or violates the format.
    """
    if path.name.endswith((".txt", ".txt.gz")) and path.is_file():
        return _read_file(path, subtask, language)
    found = _find(path, subtask, language)
    chosen = _choose(found, path, subtask, language)
    where = f"{path}, {chosen}" if chosen else str(path)
    _check_files(found[chosen], where, subtask, required)
    contents, all_places = found[chosen].contents, found[chosen].places
    places = {split: all_places[split][0] for split in SPLITS if split in all_places}
    stories = {split: parse_stories(contents[split], places[split]) for split in places}
    return SubtaskFiles(chosen, places, stories)


def subtasks_in(path: Path) -> list[int]:
    """Return the numbers of the subtasks that have files, in any language.

    Args:
        path: Path, as for `read_subtask`. The result is empty if the path does not exist, or is a
            file that is neither an archive nor named like a bAbI file.

    Returns:
        The numbers in ascending order.

    Raises:
        ConfigError: If a directory or an archive is unreadable.
    """
    if path.is_file() and not (tarfile.is_tarfile(path) or zipfile.is_zipfile(path)):
        names = [path.name]
    elif path.exists():
        with contextlib.closing(archives.entries(path)) as entries:
            names = [entry.name for entry in entries]
    else:
        names = []
    found = {int(match[1]) for match in map(_NAME.fullmatch, names) if match}
    return sorted(found.intersection(SUBTASKS))


@dataclass
class _LanguageFiles:
    """The files of one language: all locations of each split, and the content of the first."""

    places: dict[str, list[str]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)


def _read_file(path: Path, subtask: int, language: str | None) -> SubtaskFiles:
    if language is not None:
        raise ConfigError(
            f"{path} is a single file; task.language requires a directory or an archive"
        )
    split = _split_of(path.name, subtask)
    if split is None:
        raise ConfigError(
            f"the name of {path} must contain the subtask {subtask} and the split, as in "
            f"{subtask_file_name(subtask, 'test')}"
        )
    place = str(path)
    content = _content(archives.Entry(path.name, place, lambda: path.open("rb")))
    directory = path.resolve().parent.name
    return SubtaskFiles(directory, {split: place}, {split: parse_stories(content, place)})


def _find(path: Path, subtask: int, language: str | None) -> dict[str, _LanguageFiles]:
    """Find the subtask's files by language; only the preferred language's contents are retained."""
    found: dict[str, _LanguageFiles] = {}
    best = None
    with contextlib.closing(archives.entries(path)) as entries:
        for entry in entries:
            split = _split_of(entry.name, subtask)
            if split is None:
                continue
            files = found.setdefault(entry.directory, _LanguageFiles())
            files.places.setdefault(split, []).append(entry.location)
            if best is None or _rank(entry.directory, language) < _rank(best, language):
                if best is not None:
                    found[best].contents.clear()
                best = entry.directory
            if entry.directory == best and split not in files.contents:
                files.contents[split] = _content(entry)
    return found


def _rank(directory: str, language: str | None) -> int:
    order = _PREFERRED if language is None else (language,)
    return order.index(directory) if directory in order else len(order)


def _choose(
    found: dict[str, _LanguageFiles], path: Path, subtask: int, language: str | None
) -> str:
    name = subtask_file_name(subtask, "train")
    if not found:
        raise ConfigError(
            f"{path} has no {name}, neither directly nor in a directory such as en-10k"
        )
    available = ", ".join(sorted(found))
    if language is not None and language not in found:
        raise ConfigError(f"{path} has no {name} in a directory {language}, only in: {available}")
    best = min(found, key=lambda directory: _rank(directory, language))
    if len(found) > 1 and language is None and best not in _PREFERRED:
        raise ConfigError(
            f"{path} has several languages: {available}; set task.language to one of them"
        )
    return best


def _check_files(found: _LanguageFiles, where: str, subtask: int, required: Sequence[str]) -> None:
    for split, places in found.places.items():
        if len(places) > 1:
            raise ConfigError(
                f"{where}: {' and '.join(places)} are both for the {split} split; keep only one"
            )
    missing = [subtask_file_name(subtask, split) for split in required if split not in found.places]
    if missing:
        available = ", ".join(places[0] for places in found.places.values())
        raise ConfigError(f"{where} has no {' and no '.join(missing)}, only {available}")


def _split_of(name: str, subtask: int) -> str | None:
    match = _NAME.fullmatch(name)
    return _SPLITS[match[2]] if match and int(match[1]) == subtask else None


def _content(entry: archives.Entry) -> bytes:
    content = entry.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ConfigError(
            f"{entry.location} has more than {_LARGEST // 2**20} MiB; expected a bAbI file"
        )
    return content
