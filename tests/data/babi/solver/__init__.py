"""Answers the questions of all twenty subtasks from the text alone, as a person would.

It is independent of the generation of stories: it shares no code and no model of a world with the
generators. Each module solves the subtasks of one family. A solver takes a story and gives, for
each question in order, the answer followed by its supporting lines, in the order of the published
files; where those are not determined, by all that there may be.
"""

from tests.tasks.babi.solver import deduction, handling, motives, places, relations, times

SOLVERS = {
    1: places.solve,
    2: handling.solve,
    3: handling.solve,
    4: relations.solve_neighbor,
    5: handling.solve,
    6: places.solve,
    7: handling.solve,
    8: handling.solve,
    9: places.solve,
    10: places.solve,
    11: places.solve,
    12: places.solve,
    13: places.solve,
    14: times.solve,
    15: deduction.solve_fears,
    16: deduction.solve_colors,
    17: relations.solve_position,
    18: relations.solve_size,
    19: relations.solve_path,
    20: motives.solve,
}
