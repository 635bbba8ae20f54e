"""Names of the twenty subtasks and of their files."""

from __future__ import annotations

_NAMES = (
    "single-supporting-fact",
    "two-supporting-facts",
    "three-supporting-facts",
    "two-arg-relations",
    "three-arg-relations",
    "yes-no-questions",
    "counting",
    "lists-sets",
    "simple-negation",
    "indefinite-knowledge",
    "basic-coreference",
    "conjunction",
    "compound-coreference",
    "time-reasoning",
    "basic-deduction",
    "basic-induction",
    "positional-reasoning",
    "size-reasoning",
    "path-finding",
    "agents-motivations",
)
SUBTASKS = range(1, len(_NAMES) + 1)


def name_of(subtask: int) -> str:
    """Return the official name of a subtask, 1 to 20, as in `single-supporting-fact`."""
    return _NAMES[subtask - 1]


def file_name(subtask: int, split: str) -> str:
    """Return the official name of a subtask's file, as in `qa5_three-arg-relations_train.txt`."""
    word = "valid" if split == "validation" else split
    return f"qa{subtask}_{name_of(subtask)}_{word}.txt"
