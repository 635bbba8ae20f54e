"""Places of people at times of day that are listed out of order: subtask 14."""

from tests.tasks.babi.solver.text import match, pattern, walk

_TIMES = ("yesterday", "this morning", "this afternoon", "this evening")
_ANY_TIME = "|".join(_TIMES)
_STATEMENTS = {
    "first": pattern(rf"((?i:{_ANY_TIME})) (\w+) MOVED\."),
    "last": pattern(rf"(\w+) MOVED ({_ANY_TIME})\."),
}
_QUESTIONS = {"before": pattern(r"Where was (\w+) before the (\w+)\?")}


def solve(story):
    """Answer the questions of a story."""
    days = {}  # by person: by time, the place and the line

    def read(number, text):
        kind, groups = match(text, **_STATEMENTS)
        time, person, place = groups if kind == "first" else (groups[2], groups[0], groups[1])
        days.setdefault(person, {})[_TIMES.index(time.lower())] = (place, number)

    def answer(text):
        _, (person, place) = match(text, **_QUESTIONS)
        day = [days[person][time] for time in sorted(days[person])]
        later = max(index for index, (there, _) in enumerate(day) if there == place)
        before = later - 1
        assert before >= 0, text
        return day[before][0], (day[later][1], day[before][1])

    return walk(story, read, answer)
