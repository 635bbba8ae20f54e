"""A small folder in the official format of bAbI, with which runs take a second."""

from rumcli.tasks.babi import stories as babi_stories
from rumcli.tasks.babi.stories import Question, Statement, Story, to_text

NAMES = ("Mary", "John", "Sandra")
PLACES = ("garden", "kitchen")


def make_stories(count, seed=0):
    """Make stories of two to four moves, each with two questions."""
    made = []
    for number in range(count):
        where = {}
        lines = []
        for step in range(2 + (number + seed) % 3):
            name = NAMES[(number + step) % 3]
            where[name] = (PLACES[(number * 7 + step + seed) % 2], len(lines) + 1)
            lines.append(Statement(f"{name} went to the {where[name][0]}."))
        for name in list(where)[:2]:
            place, line = where[name]
            lines.append(Question(f"Where is {name}?", place, (line,)))
        made.append(Story(tuple(lines)))
    return made


def write_subtasks(folder, numbers=(1,), train=40, test=12):
    """Write the training and test files of subtasks; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        for seed, (split, count) in enumerate({"train": train, "test": test}.items()):
            path = folder / babi_stories.subtask_file_name(number, split)
            path.write_text(to_text(make_stories(count, seed), number))
    return folder
