"""Why people go somewhere and get something, and where they will go: subtask 20."""

from tests.tasks.babi.solver.text import match, pattern, walk

_GOALS = {
    "hungry": ("kitchen", "apple"),
    "thirsty": ("kitchen", "milk"),
    "bored": ("garden", "football"),
    "tired": ("bedroom", "pajamas"),
}
_STATEMENTS = {
    "state": pattern(r"(\w+) is (\w+)\."),
    "move": pattern(r"\w+ MOVED\."),
    "get": pattern(r"\w+ (?:got|took|grabbed|picked up) the \w+ there\."),
}
_QUESTIONS = {
    "where": pattern(r"Where will (\w+) go\?"),
    "why go": pattern(r"Why did (\w+) go to the (\w+)\?"),
    "why get": pattern(r"Why did (\w+) get the (\w+)\?"),
}


def solve(story):
    """Answer the questions of a story."""
    states = {}  # by person: the state and its line

    def read(number, text):
        kind, groups = match(text, **_STATEMENTS)
        if kind == "state":
            states[groups[0].lower()] = (groups[1], number)

    def answer(text):
        kind, (person, *goal) = match(text, **_QUESTIONS)
        state, line = states[person]
        place, thing = _GOALS[state]
        if kind == "where":
            return place, (line,)
        assert goal == [place if kind == "why go" else thing], text
        return state, (line,)

    return walk(story, read, answer)
