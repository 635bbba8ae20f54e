"""Places of people, from the last statement about them: subtasks 1, 6 and 9 to 13."""

from dataclasses import dataclass

from tests.tasks.babi.solver.text import NotUnderstoodError, match, pattern, walk

_STATEMENTS = {
    "both": pattern(r"(\w+) and (\w+) MOVED\."),
    "again": pattern(r"(?:After that|Afterwards|Then|Following that) (?:he|she|they) MOVED\."),
    "is": pattern(r"(\w+) MOVED\."),
    "is in": pattern(r"(\w+) is in the (\w+)\."),
    "not": pattern(r"(\w+) is (?:no longer|not) in the (\w+)\."),
    "either": pattern(r"(\w+) is either in the (\w+) or the (\w+)\."),
    "handling": pattern(
        r"\w+ (?:got|took|grabbed|picked up|dropped|left|discarded|put down) the \w+(?: there)?\."
    ),
}
_QUESTIONS = {"where": pattern(r"Where is (\w+)\?"), "is": pattern(r"Is (\w+) in the (\w+)\?")}


@dataclass
class _Known:
    """Places where someone is, one of them, or is not; and the lines that say so."""

    places: tuple[str, ...]
    denied: bool
    lines: tuple[int, ...]


def solve(story):
    """Answer the questions of a story."""
    known, last = {}, ([], 0)

    def read(number, text):
        nonlocal last
        kind, groups = match(text, **_STATEMENTS)
        if kind == "handling":
            return
        count = {"both": 2, "again": 0}.get(kind, 1)
        people, places, lines = list(groups[:count]), groups[count:], (number,)
        if kind == "again":
            people, lines = last[0], (last[1], number)
        last = (people, number)
        for person in people:
            known[person] = _Known(places, kind == "not", lines)

    def answer(text):
        kind, (person, *place) = match(text, **_QUESTIONS)
        fact = known[person]
        if kind == "is":
            return _is_in(fact, place[0]), fact.lines
        if fact.denied or len(fact.places) != 1:
            raise NotUnderstoodError(text)
        return fact.places[0], fact.lines

    return walk(story, read, answer)


def _is_in(fact, place):
    if fact.denied and place not in fact.places:
        raise NotUnderstoodError(f"{place}: only {fact.places} is denied")
    if fact.denied or place not in fact.places:
        return "no"
    return "yes" if len(fact.places) == 1 else "maybe"
