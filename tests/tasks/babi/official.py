"""The published files of bAbI, where they are; tests that need others than these skip."""

import functools
from pathlib import Path

import pytest

from rumcli.data import archives
from rumcli.tasks.babi import stories as babi_stories
from rumcli.tasks.babi.config import SUBTASKS

_DATA = Path(__file__).parents[4] / "shared" / "data"
ARCHIVES = {"en": _DATA / "babi-en.tar.gz", "en-10k": _DATA / "babi-en-10k.tar.xz"}
# Of each training file, and of the test files of "en".
QUESTIONS = {"en": 1000, "en-10k": 10_000}
# Not in the archive that we have.
MISSING = {("en-10k", 3, "train")}

# In the quick suite, and in the slow one. The test files of both are the same.
SMALL = [("en", subtask, split) for subtask in SUBTASKS for split in ("train", "test")]
LARGE = [key for subtask in SUBTASKS if (key := ("en-10k", subtask, "train")) not in MISSING]


@functools.cache
def published_texts(language):
    """Return the content of each file by name; skip the test without the archive."""
    if not ARCHIVES[language].is_file():
        pytest.skip(f"there is no {ARCHIVES[language].name} in ../shared/data")
    return {entry.name: entry.read(10**8) for entry in archives.entries(ARCHIVES[language])}


def published_text(language, subtask, split):
    """Return the content of one file; skip the test without the archive."""
    return published_texts(language)[babi_stories.subtask_file_name(subtask, split)]


def published_stories(language, subtask, split):
    """Return the stories of one file; skip the test without the archive."""
    name = babi_stories.subtask_file_name(subtask, split)
    return babi_stories.parse_stories(
        published_text(language, subtask, split), f"{language}/{name}"
    )
