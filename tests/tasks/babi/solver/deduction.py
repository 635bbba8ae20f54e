"""Deductions from a species: fears, subtask 15, and colors, subtask 16."""

from tests.tasks.babi.solver.text import match, pattern, walk

_SINGULAR = {"mice": "mouse", "wolves": "wolf", "cats": "cat", "sheep": "sheep"}
_FEARS = {
    "fear": pattern(r"(\w+) are afraid of (\w+)\."),
    "species": pattern(r"(\w+) is a (\w+)\."),
}
_FEAR_ASKED = {"afraid": pattern(r"What is (\w+) afraid of\?")}
_COLORS = {"species": pattern(r"(\w+) is a (\w+)\."), "color": pattern(r"(\w+) is (\w+)\.")}
_COLOR_ASKED = {"color": pattern(r"What color is (\w+)\?")}


def solve_fears(story):
    """Answer the questions of a story of subtask 15."""
    species, fears = {}, {}

    def read(number, text):
        kind, (who, what) = match(text, **_FEARS)
        if kind == "species":
            species[who.lower()] = (what, number)
        else:
            fears[_SINGULAR[who.lower()]] = (_SINGULAR[what], number)

    def answer(text):
        _, (person,) = match(text, **_FEAR_ASKED)
        animal, line = species[person]
        feared, other_line = fears[animal]
        return feared, (line, other_line)

    return walk(story, read, answer)


def solve_colors(story):
    """Answer the questions of a story of subtask 16: as the last of the same species."""
    species, colors = {}, {}

    def read(number, text):
        kind, (who, what) = match(text, **_COLORS)
        {"species": species, "color": colors}[kind][who] = (what, number)

    def answer(text):
        _, (person,) = match(text, **_COLOR_ASKED)
        animal, line = species[person]
        alike = [
            other for other, (what, _) in species.items() if what == animal and other in colors
        ]
        last = max(alike, key=lambda other: species[other][1])
        color, color_line = colors[last]
        return color, (line, species[last][1], color_line)

    return walk(story, read, answer)
