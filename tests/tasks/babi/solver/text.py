"""Sentence patterns, and the walk through a story's lines that all families share."""

import re

from rumcli.tasks.babi.stories import Question

_MOVED = r"(?:went back|went|journeyed|travelled|moved) to the (\w+)"


class NotUnderstoodError(Exception):
    """A sentence that the solver has no pattern for, or that does not follow from the others."""


def walk(story, read, answer):
    """Call `read(number, text)` for statements; yield what `answer(text)` gives for questions."""
    for number, line in enumerate(story.lines, 1):
        if isinstance(line, Question):
            yield answer(line.text)
        else:
            read(number, line.text)


def pattern(text):
    """Compile a pattern in which `MOVED` stands for all ways to say that someone moved."""
    return re.compile(text.replace("MOVED", _MOVED))


def match(text, **patterns):
    """Return the name of the pattern that fits a whole sentence, and the groups that it found."""
    for name, compiled in patterns.items():
        if found := compiled.fullmatch(text):
            return name, found.groups()
    raise NotUnderstoodError(text)
