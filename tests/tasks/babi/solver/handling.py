"""Owners and places of objects over time: subtasks 2, 3, 5, 7 and 8."""

import itertools
from dataclasses import dataclass, field

from tests.tasks.babi.solver.text import NotUnderstoodError, match, pattern, walk

_STATEMENTS = {
    "move": pattern(r"(\w+) MOVED\."),
    "get": pattern(r"(\w+) (?:got|took|grabbed|picked up) the (\w+)(?: there)?\."),
    "drop": pattern(r"(\w+) (?:dropped|left|discarded|put down) the (\w+)(?: there)?\."),
    "give": pattern(r"(\w+) (?:gave|handed|passed) the (\w+) to (\w+)\."),
}
_QUESTIONS = {
    "where is": pattern(r"Where is the (\w+)\?"),
    "where was": pattern(r"Where was the (\w+) before the (\w+)\?"),
    "how many": pattern(r"How many objects is (\w+) carrying\?"),
    "which": pattern(r"What is (\w+) carrying\?"),
    "what was given": pattern(r"What did (\w+) give to (\w+)\?"),
    "who gave": pattern(r"Who gave the (\w+)\?"),
    "who gave to": pattern(r"Who gave the (\w+) to (\w+)\?"),
    "given to whom": pattern(r"Who did (\w+) give the (\w+) to\?"),
    "who received": pattern(r"Who received the (\w+)\?"),
}
_NUMBERS = ("none", "one", "two", "three")


@dataclass
class _Thing:
    """Who had it last, whether that one still has, the line that says so, and where it has been.

    A place goes with the line of a move: `now` with the last of who had it last, each of `places`
    with that which first brought it, or who took it, there.
    """

    person: str = ""
    held: bool = False
    changed: int = 0
    now: tuple[str, int] | None = None
    places: list[tuple[str, int]] = field(default_factory=list)

    def is_at(self, place):
        """Note a place and its line; that it has been there only if it is a new place."""
        self.now = place or self.now
        if place is not None and (not self.places or self.places[-1][0] != place[0]):
            self.places.append(place)


class _Notes:
    """Facts stated so far in a story."""

    def __init__(self):
        self.moves = {}  # by person: the last place, and its line
        self.things = {}
        self.hands = {}  # by person, then by thing: lines that say it was taken, dropped, given
        self.gifts = []  # from whom, what, to whom, the line

    def read(self, line, text):
        """Take a statement in."""
        kind, groups = match(text, **_STATEMENTS)
        person, other = groups[:2]
        if kind == "move":
            self.moves[person] = (other, line)
            for thing in self.things.values():
                if thing.held and thing.person == person:
                    thing.is_at((other, line))
            return
        thing = self.things.setdefault(other, _Thing())
        thing.is_at(self.moves.get(person))
        thing.person, thing.held, thing.changed = groups[-1], True, line
        if kind != "give":
            thing.person, thing.held = person, kind == "get"
        for someone in {person, thing.person}:
            self.hands.setdefault(someone, {}).setdefault(other, []).append(line)
        if kind == "give":
            self.gifts.append((*groups, line))

    def answer(self, text):
        """Answer a question."""
        kind, groups = match(text, **_QUESTIONS)
        if kind == "where is":
            thing = self.things[groups[0]]
            place, move = thing.now
            return place, (thing.changed, move)
        if kind == "where was":
            return self._where_was(*groups)
        if kind in ("how many", "which"):
            return self._carried(kind, groups[0])
        return self._gift(kind, groups)

    def _carried(self, kind, person):
        # Things in the order in which that person had each for the first time.
        lines = list(itertools.chain.from_iterable(self.hands[person].values()))
        carried = [
            name
            for name in self.hands[person]
            if self.things[name].held and self.things[name].person == person
        ]
        if kind == "how many":
            return _NUMBERS[len(carried)], tuple(sorted(lines))
        return ",".join(carried) or "nothing", tuple(lines)

    def _where_was(self, name, place):
        thing = self.things[name]
        stays = [number for number, (there, _) in enumerate(thing.places) if there == place]
        if not stays or stays[-1] == 0:
            raise NotUnderstoodError(f"{name}: nothing is known before {place}")
        (before, earlier), (_, later) = thing.places[stays[-1] - 1 : stays[-1] + 1]
        return before, (thing.changed, later, earlier)

    def _gift(self, kind, groups):
        asked = {
            "what was given": (groups[0], None, groups[-1]),
            "who gave": (None, groups[0], None),
            "who gave to": (None, groups[0], groups[-1]),
            "given to whom": (groups[0], groups[-1], None),
            "who received": (None, groups[0], None),
        }[kind]
        unknown = 2 if kind == "who received" else asked.index(None)
        for *gift, line in reversed(self.gifts):
            if all(one in (None, other) for one, other in zip(asked, gift, strict=True)):
                return gift[unknown], (line,)
        raise NotUnderstoodError(f"no gift for {kind} {groups}")


def solve(story):
    """Answer the questions of a story."""
    notes = _Notes()
    return walk(story, notes.read, notes.answer)
