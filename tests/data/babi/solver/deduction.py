"""What follows from someone's species: fears, subtask 15, and colours, subtask 16."""

from tests.data.babi.solver.text import match, pattern, walk

_SINGULAR = {"mice": "mouse", "wolves": "wolf", "cats": "cat", "sheep": "sheep"}
_FEARS = {
    "fear": pattern(r"(\w+) are afraid of (\w+)\."),
    "species": pattern(r"(\w+) is a (\w+)\."),
}
_FEAR_ASKED = {"afraid": pattern(r"What is (\w+) afraid of\?")}
_COLOURS = {"species": pattern(r"(\w+) is a (\w+)\."), "colour": pattern(r"(\w+) is (\w+)\.")}
_COLOUR_ASKED = {"colour": pattern(r"What color is (\w+)\?")}


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


def solve_colours(story):
    """Answer the questions of a story of subtask 16: as the last of the same species."""
    species, colours = {}, {}

    def read(number, text):
        kind, (who, what) = match(text, **_COLOURS)
        {"species": species, "colour": colours}[kind][who] = (what, number)

    def answer(text):
        _, (person,) = match(text, **_COLOUR_ASKED)
        animal, line = species[person]
        alike = [
            other for other, (what, _) in species.items() if what == animal and other in colours
        ]
        last = max(alike, key=lambda other: species[other][1])
        colour, colour_line = colours[last]
        return colour, (line, species[last][1], colour_line)

    return walk(story, read, answer)
