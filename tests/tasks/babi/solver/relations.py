"""Spatial and size relations, step by step: subtasks 4, 17, 18 and 19."""

from tests.tasks.babi.solver.text import NotUnderstoodError, match, pattern, walk

_STEPS = {
    "north": (0, 1),
    "south": (0, -1),
    "east": (1, 0),
    "west": (-1, 0),
    "above": (0, 1),
    "below": (0, -1),
    "to the right of": (1, 0),
    "to the left of": (-1, 0),
}
_OPPOSITES = {"north": "south", "south": "north", "east": "west", "west": "east"}
_PLACE = {"is": pattern(r"The (\w+) is (\w+) of the (\w+)\.")}
_NEIGHBOR_ASKED = {
    "last": pattern(r"What is the (\w+) (\w+) of\?"),
    "first": pattern(r"What is (\w+) of the (\w+)\?"),
}
_SIDES = "above|below|to the left of|to the right of"
_SHAPE = {"is": pattern(rf"The ([\w ]+?) is ({_SIDES}) the ([\w ]+)\.")}
_SHAPE_ASKED = {"is": pattern(rf"Is the ([\w ]+?) ({_SIDES}) the ([\w ]+)\?")}
_SIZES = {
    "bigger": pattern(r"The ([\w ]+) is bigger than the ([\w ]+)\."),
    "fits": pattern(r"The ([\w ]+) fits inside the ([\w ]+)\."),
}
_SIZE_ASKED = {
    "bigger": pattern(r"Is the ([\w ]+) bigger than the ([\w ]+)\?"),
    "fits": pattern(r"Does the ([\w ]+) fit in the ([\w ]+)\?"),
}
_PATH_ASKED = {"path": pattern(r"How do you go from the (\w+) to the (\w+)\?")}


class _Steps:
    """Steps from one thing to another, each with its line; those back are steps, too."""

    def __init__(self):
        self._from = {}

    def add(self, one, step, other, line):
        """Remember that one arrives at `one` by a step from `other`."""
        self._from.setdefault(other, []).append((one, step, line))
        self._from.setdefault(one, []).append((other, (-step[0], -step[1]), line))

    def paths(self, start, end, length):
        """Return all paths of so many steps, as steps and lines, that visit nothing twice."""
        found = [([start], [], [])]
        for _ in range(length):
            found = [
                ([*visited, thing], [*steps, step], [*lines, line])
                for visited, steps, lines in found
                for thing, step, line in self._from.get(visited[-1], ())
                if thing not in visited
            ]
        return [(steps, tuple(lines)) for visited, steps, lines in found if visited[-1] == end]


def solve_neighbor(story):
    """Answer the question of a story of subtask 4."""
    said = {}  # by place and direction: the place there, and the line

    def read(number, text):
        _, (one, direction, other) = match(text, **_PLACE)
        said[other, direction] = (one, (number,))
        said[one, _OPPOSITES[direction]] = (other, (number,))

    def answer(text):
        kind, groups = match(text, **_NEIGHBOR_ASKED)
        if kind == "first":  # the place north of it
            direction, place = groups
        else:  # the place that it is north of lies south of it
            place, direction = groups[0], _OPPOSITES[groups[1]]
        return said[place, direction]

    return walk(story, read, answer)


def solve_position(story):
    """Answer the questions of a story of subtask 17."""
    steps = _Steps()

    def read(number, text):
        _, (one, side, other) = match(text, **_SHAPE)
        steps.add(one, _STEPS[side], other, number)

    def answer(text):
        _, (one, side, other) = match(text, **_SHAPE_ASKED)
        ((path, lines),) = steps.paths(one, other, 2)
        # From the second to the first, along the asked axis; 0 if they lie in a row.
        axis = _STEPS[side][0] == 0
        away = -sum(step[axis] for step in path)
        return "yes" if away * _STEPS[side][axis] > 0 else "no", lines

    return walk(story, read, answer)


def solve_size(story):
    """Answer the questions of a story of subtask 18.

    Several lines may say the same, and several pairs of lines tell the answer; no rule was found
    for which of them the published files name, so that all are given.
    """
    smaller = {}  # by thing: the smaller ones, each with its line

    def read(number, text):
        kind, (one, other) = match(text, **_SIZES)
        large, small = (one, other) if kind == "bigger" else (other, one)
        smaller.setdefault(large, []).append((small, number))

    def between(large, small):
        return [
            (line, other_line)
            for thing, line in smaller.get(large, ())
            for other, other_line in smaller.get(thing, ())
            if other == small
        ]

    def answer(text):
        kind, (one, other) = match(text, **_SIZE_ASKED)
        large, small = (one, other) if kind == "bigger" else (other, one)
        if found := between(large, small):
            return "yes", *found
        if found := between(small, large):
            return "no", *(lines[::-1] for lines in found)
        raise NotUnderstoodError(text)

    return walk(story, read, answer)


def solve_path(story):
    """Answer the question of a story of subtask 19."""
    steps = _Steps()

    def read(number, text):
        _, (one, direction, other) = match(text, **_PLACE)
        steps.add(one, _STEPS[direction], other, number)

    def answer(text):
        _, (start, end) = match(text, **_PATH_ASKED)
        ((path, lines),) = steps.paths(start, end, 2)
        initials = {_STEPS[name]: name[0] for name in _OPPOSITES}
        return ",".join(initials[step] for step in path), lines

    return walk(story, read, answer)
