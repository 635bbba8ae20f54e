"""Configuration of bAbI, and its suite of twenty subtasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from rumcli import parsing
from rumcli.field_types import Few, Positive
from rumcli.tasks.task_config import COMMON_METRICS, DataPath, Subtask, TaskSection

ALL = "all"  # all subtasks in sequence
PASSED = 0.95  # accuracy at which a subtask counts as passed: arXiv:1502.05698
# Mean accuracies over the twenty subtasks, with one word-level model per subtask:
# arXiv:1710.09537, section 4.3 (unverified). The often-quoted 49.2 % of an LSTM is for 1,000
# training questions (arXiv:1502.05698), not 10,000.
PUBLISHED = {"GORU": 0.60, "RUM": 0.732}
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


def subtask_name(subtask: int) -> str:
    """Return the official name of a subtask, 1 to 20, as in `single-supporting-fact`."""
    return _NAMES[subtask - 1]


def _subtask(value: int | str) -> int | str:
    if isinstance(value, str):  # as in command-line options
        value = int(value) if value.isdecimal() else parsing.name(value, [ALL])
    if value == ALL or (isinstance(value, int) and 1 <= value <= 20):
        return value
    raise ValueError(f"a number from 1 to 20, or {ALL}")


class BabiConfig(TaskSection):
    """Question answering: read a short story and answer a question, in twenty subtasks (bAbI).

    Source: arXiv:1502.05698
    """

    metrics: ClassVar[tuple[str, ...]] = ("accuracy", *COMMON_METRICS)
    shows_examples: ClassVar[bool] = True
    name: Literal["babi"] = "babi"
    subtask: Annotated[
        int | str, Field(description="number of the subtask, or all"), AfterValidator(_subtask)
    ] = 1
    data: Annotated[
        DataPath, Field(description="official archive, directory or file; null: generated")
    ] = None
    language: Annotated[
        str | None, Field(description="directory of the official data, as in en-10k")
    ] = None
    generate_missing_train: Annotated[
        bool, Field(description="generate training stories whose file is missing in the data")
    ] = False
    train_examples: Annotated[Positive, Field(description="questions to generate")] = 9000
    validation_examples: Positive = 1000
    test_examples: Positive = 1000
    input_level: Annotated[
        Literal["words", "sentences"], Field(description="content of a time step")
    ] = "sentences"
    embedding: Annotated[Positive, Field(description="size of a word's vector")] = 64
    num_hops: Annotated[Few, Field(description="number of attention hops over the sentences")] = 3

    @property
    def subtasks(self) -> Sequence[Subtask]:
        """The twenty subtasks if all are to be trained; else none."""
        if self.subtask != ALL:
            return ()
        return tuple(
            Subtask(
                number,
                subtask_name(number),
                f"qa{number}",
                self.model_copy(update={"subtask": number}),
            )
            for number in SUBTASKS
        )

    def suite_fields(self, accuracies: Sequence[float]) -> dict[str, Any]:
        """Return the number of passed subtasks, and the published means."""
        return {
            "passed": sum(accuracy >= PASSED for accuracy in accuracies),
            "passed_from": PASSED,
            "published_means": PUBLISHED,
        }
