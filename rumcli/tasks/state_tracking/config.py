"""Configuration of state tracking: names and sizes of its problems."""

from __future__ import annotations

import math
import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from rumcli import parsing
from rumcli.field_types import Positive
from rumcli.tasks.task_config import COMMON_METRICS, TaskSection

AUTOMATA = ("parity", "cycle", "even_pairs", "modular", "modular_brackets")
MAX_ORDER = 1000  # elements of a group, each of which is a class
_GROUP = re.compile(r"([ZSA])([1-9]\d{0,3})")


def order_of(group: str) -> int:
    """Return the number of elements of a group: n for Zn, n! for Sn, n!/2 for An.

    Args:
        group: Name of the group, such as `S5`.

    Raises:
        ValueError: If there is no such group, or its order is not between 2 and `MAX_ORDER`.
    """
    match = _GROUP.fullmatch(group)
    if match is None:
        raise ValueError(f"{', '.join(AUTOMATA)}, or a group such as Z60, S3 or A5")
    kind, degree = match[1], int(match[2])
    if kind == "Z":
        order = degree
    else:
        # The factorial of a large degree has thousands of digits.
        factorial = math.factorial(min(degree, 20))
        order = factorial if kind == "S" else factorial // 2
    if not 2 <= order <= MAX_ORDER:
        raise ValueError(f"a group with 2 to {MAX_ORDER:,} elements, such as Z60, S5 or A6")
    return order


def _problem(value: str) -> str:
    value = parsing.name(value, AUTOMATA)
    if value in AUTOMATA:
        return value
    order_of(value.upper())
    return value.upper()


class StateTrackingConfig(TaskSection):
    """State tracking: after each symbol, output the state of an automaton or a product in a group.

    The problems are the word problem of a group (Zn, Sn or An), parity, cycle, even_pairs, and
    arithmetic modulo 5 without and with brackets.

    Source: arXiv:2207.02098, table 1 (automata); arXiv:2404.08819, section 3 (groups)
    """

    metrics: ClassVar[tuple[str, ...]] = ("accuracy", *COMMON_METRICS)
    length_key: ClassVar[str | None] = "length"
    name: Literal["state_tracking"] = "state_tracking"
    problem: Annotated[
        str,
        Field(description=f"a group such as S3, A5 or Z60, or {', '.join(AUTOMATA)}"),
        AfterValidator(_problem),
    ] = "S3"
    generators: Annotated[
        Positive | None,
        Field(description="number of group elements that are input symbols; null: all"),
    ] = None
    length: Annotated[
        int, Field(ge=3, le=100_000, description="symbols of a sequence, each with a target")
    ] = 40
    validation_examples: Positive = 512
    test_examples: Positive = 2048

    @field_validator("generators")
    @classmethod
    def _check_generators(cls, value: int | None, info: ValidationInfo) -> int | None:
        problem = info.data.get("problem")
        if value is None or problem is None:
            return value
        if problem in AUTOMATA:
            raise ValueError(f"null with '{problem}', which is not the word problem of a group")
        if not 2 <= value <= order_of(problem):
            raise ValueError(f"a number from 2 to the order of {problem}, {order_of(problem):,}")
        return value
