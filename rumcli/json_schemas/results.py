"""JSON documents on the results of runs, sweeps and reproduced tables."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from rumcli.json_schemas.base import (
    CELL,
    FOLDER,
    TASK,
    WEIGHTS_OF_STEP,
    Absent,
    Count,
    Document,
    Positive,
    Seconds,
    Section,
    Seed,
    Share,
)

_Subtask = Annotated[int, Field(ge=1, le=20)]
_Deviation = Annotated[float, Field(ge=0)]
_SPLIT = "The split that was evaluated."

_TASK = "The task of all runs."
_Search = Annotated[
    Literal["grid", "random", "bayesian"], Field(description="How the points are chosen.")
]


class SummaryBaseline(Section):
    """The baseline of the monitored metric."""

    metric: str = Field(
        description="The monitored metric, a key of this document. It selects the best weights."
    )
    label: str = Field(description="The name of the baseline, as in memoryless.")
    value: float = Field(description="The metric of a model that has learned nothing of the task.")
    target: float = Field(description="The metric of a model that makes no mistake.")
    published: float | None = Field(
        None, description="The result of arXiv:1710.09537 for this data; null if there is none."
    )


class Verdict(Section):
    """A requirement and whether the result meets it."""

    requirement: str = Field(description="The requirement without spaces.")
    value: float | int | None = Field(
        description="The metric; null if there is none, or it is not finite."
    )
    met: bool = Field(description="Whether the metric meets the requirement.")


Requirements = Annotated[
    Annotated[list[Verdict], Field(min_length=1)] | Absent,
    Field(
        description="The requirements of --require; absent without. If one is not met, the exit "
        "code is 1."
    ),
]


class _Result(Document):
    """Evaluation relative to the baseline. A custom task may add keys."""

    model_config = ConfigDict(extra="allow")

    task: str = Field(description=TASK)
    cell: str = Field(description=CELL)
    problem: str | Absent = Field(
        None, description="State tracking: the group, or the name of another problem."
    )
    subtask: _Subtask | Absent = Field(None, description="bAbI: number of the subtask.")
    subtask_name: str | Absent = Field(None, description="bAbI: name of the subtask.")
    input_level: Literal["words", "sentences"] | Absent = Field(
        None, description="bAbI: the unit of a time step."
    )
    data: str | Absent = Field(None, description="Source of the text or stories, if any.")
    split: Literal["validation", "test"] = Field(description=_SPLIT)
    examples: Positive | Absent = Field(
        None, description="Number of examples in the split, of a task with generated examples."
    )
    characters: Positive | Absent = Field(
        None, description="Penn Treebank: number of scored characters in the split."
    )
    questions: Positive | Absent = Field(
        None, description="bAbI: number of questions in the split."
    )
    weights_of_step: Count = Field(description=WEIGHTS_OF_STEP)
    metric: str = Field(description="The task's metric besides the loss: a key of this document.")
    loss: float | None = Field(
        description="Mean cross-entropy, in nats per answer or symbol; of Penn Treebank per "
        "character; of adding the mean squared error; null if not finite."
    )
    symbol_accuracy: Share | Absent = Field(
        None, description="Copying: fraction of the ten symbols that are correct."
    )
    accuracy: Share | Absent = Field(
        None, description="Fraction of the answers that are correct; of adding within 0.04."
    )
    standard_error: _Deviation | Absent = Field(
        None,
        description="Standard error of the accuracy over the samples of the split, √(p(1 − p)/n); "
        "an upper bound if an example has several answers. Absent without an accuracy.",
    )
    bits_per_character: float | None = Field(
        None, description="Penn Treebank: loss / ln 2; null if not finite."
    )
    perplexity: float | None = Field(
        None, description="Penn Treebank: e to the loss; null if not finite."
    )
    baseline: SummaryBaseline = Field(description="The baseline of the monitored metric.")
    gap_to_baseline: float | None = Field(
        description="The monitored metric minus the baseline; null if not finite."
    )
    normalized_score: float | None = Field(
        description="Position of the monitored metric between the baseline (0) and solved (1); "
        "negative if worse than the baseline; null if not finite, or if the baseline solves the "
        "task."
    )
    beats_baseline: bool = Field(
        description="Whether the monitored metric is better than the baseline."
    )
    folder: str = Field(description=FOLDER)


class Summary(_Result):
    """The result of a run.

    Printed by rum train --json when the run is finished. summary.json in the run directory is the
    same without requirements. The test split is evaluated with the best weights by validation.
    """

    kind: ClassVar[str] = "train"

    parameters: Count = Field(description="Number of trainable weights.")
    steps: Count = Field(description="Number of training steps.")
    seconds: Seconds = Field(description="Training time in seconds, without evaluations.")
    until_met: str | None = Field(
        description="The threshold of train.until if a validation met it and stopped the run; "
        "otherwise null."
    )
    stopped_by: str | None = Field(
        None, description="The user's callback that stopped the run; null if none did."
    )
    skipped_steps: Count = Field(
        description="Number of steps skipped for a loss or gradient that is not finite."
    )
    requirements: Requirements = None


class AnswerCounts(Section):
    """The predictions for one correct answer."""

    answer: str = Field(description="The correct answer.")
    questions: Positive = Field(description="Number of questions with this answer.")
    right: Count = Field(description="Number of these that were answered correctly.")
    given: dict[str, Positive] = Field(
        description="Number of times each answer was predicted, the most frequent first."
    )


class StoryLine(Section):
    """A statement of a story."""

    line: Positive = Field(description="Number of the line in the story.")
    text: str = Field(description="Its words.")
    supporting: bool = Field(description="Whether the data marks it as a supporting fact.")
    attention: list[Share] | None = Field(
        description="Attention weight of this line at each hop; null for a model without attention."
    )


class StoryExample(Section):
    """A question with its story."""

    story: list[StoryLine] = Field(description="The statements before the question.")
    question: str = Field(description="The question.")
    answer: str = Field(description="The correct answer.")
    given: str = Field(description="The model's answer.")
    probability: Share = Field(description="The predicted probability of the model's answer.")


class LengthResult(Section):
    """The evaluation on sequences of one length."""

    model_config = ConfigDict(extra="allow")

    length: Positive = Field(description="Length of the sequences, the task's option length.")
    loss: float | None = Field(description="Loss, as in the whole document.")
    accuracy: Share | Absent = Field(None, description="Accuracy over all steps with a target.")
    final_accuracy: Share | Absent = Field(
        None, description="Accuracy at the last step, if it has a target."
    )
    accuracy_by_position: list[Share | None] | Absent = Field(
        None, description="Accuracy at each step; null where no step has a target."
    )


class Evaluation(_Result):
    """The evaluation of a run.

    Printed by rum eval --json.
    """

    kind: ClassVar[str] = "eval"

    confusion: list[AnswerCounts] | Absent = Field(
        None, description="bAbI: the correct answers, the most frequent first."
    )
    stories: list[StoryExample] | Absent = Field(
        None, description="bAbI, with --examples: questions, wrongly answered ones first."
    )
    lengths: list[LengthResult] | Absent = Field(
        None, description="With --length: the evaluation at each of these lengths."
    )
    requirements: Requirements = None


class PredictionLine(Document):
    """The prediction for one sample.

    A line of the file of rum eval --save-predictions. The mean of correct over all lines is the
    accuracy, and the mean of loss is the loss. For a task that is no classification, only index,
    inputs, target and prediction are there.
    """

    kind: ClassVar[str] = "prediction"

    index: Count = Field(
        description="Number of the example or question in the split, from 0; place of the "
        "character in the text."
    )
    inputs: list[str] | Absent = Field(
        None, description="Labels of the inputs, as words or sentences; absent for characters."
    )
    target: Any = Field(description="The correct answer: a name or number, or a list of them.")
    prediction: Any = Field(description="The model's answer, in the same form.")
    probability: Share | list[Share] | Absent = Field(
        None, description="The predicted probability of the model's answer."
    )
    correct: bool | list[bool] | Absent = Field(None, description="Whether the answer is correct.")
    loss: float | Absent = Field(
        None, description="Cross-entropy in nats, the mean over all time steps with a target."
    )


class SubtaskResult(Section):
    """The result of one subtask of bAbI."""

    subtask: _Subtask = Field(description="Its number.")
    name: str = Field(description="Its name.")
    accuracy: Share = Field(description="Fraction of the answers that are correct.")
    standard_error: _Deviation = Field(description="Standard error of the accuracy.")
    loss: float = Field(description="Mean cross-entropy, in nats per answer.")
    questions: Positive = Field(description="Number of questions in the split.")
    weights_of_step: Count = Field(description=WEIGHTS_OF_STEP)
    steps: Count = Field(description="Number of training steps.")
    seconds: Seconds = Field(description="Training time in seconds.")
    data: str = Field(description="Source of the stories.")
    majority: Share = Field(description="The accuracy of always predicting the most frequent one.")


class SuiteSummary(Document):
    """The result of all subtasks of bAbI.

    Printed by rum train babi --subtask all --json when all are finished; without requirements,
    summary.json in the run directory is the same.
    """

    kind: ClassVar[str] = "train-all"

    task: str = Field(description="The task's name.")
    cell: str = Field(description=CELL)
    steps: Count = Field(description="Number of training steps of each subtask.")
    seconds: Seconds = Field(description="Training time of all subtasks together, in seconds.")
    split: Literal["validation", "test"] = Field(description=_SPLIT)
    mean_accuracy: Share = Field(description="Mean accuracy of the subtasks.")
    standard_error: _Deviation = Field(description="Standard error of the mean accuracy.")
    passed: Count = Field(
        le=20, description="Number of subtasks whose accuracy is at least passed_from."
    )
    passed_from: Share = Field(description="The accuracy from which a subtask counts as passed.")
    published_means: dict[str, Share] = Field(
        description="Mean accuracies of arXiv:1710.09537 by cell, from memory, unverified."
    )
    subtasks: list[SubtaskResult] = Field(
        min_length=1, max_length=20, description="The results of the subtasks by number."
    )
    folder: str = Field(description=FOLDER)
    requirements: Requirements = None


class SeedStatistics(Section):
    """Mean and standard deviation over the seeds."""

    mean: float = Field(description="Mean over the seeds.")
    deviation: Annotated[float, Field(ge=0)] | None = Field(
        description="Standard deviation of the sample; null for one seed."
    )
    of: Positive = Field(description="Number of seeds.")


class StateCounts(Section):
    """The number of runs in each state."""

    finished: Count = Field(description="Number of finished runs.")
    stopped: Count = Field(
        description="Number of runs that have used their share of a budget and were tested."
    )
    stopped_early: Count = Field(description="Number of runs stopped by early stopping.")
    unfinished: Count = Field(description="Number of saved runs.")
    failed: Count = Field(description="Number of failed runs.")
    not_started: Count = Field(description="Number of runs that have not started.")


class _JobRun(Section):
    seed: Seed = Field(description="The run's seed.")
    folder: str = Field(description="Its run directory.")
    state: str = Field(
        description="finished, stopped (its share of a budget was used up, and it was tested), "
        "stopped early, unfinished, failed or not started."
    )
    message: str = Field(description="Why it failed, was stopped or left out; empty otherwise.")
    step: Count = Field(
        description="Number of training steps of the test; without a test, of the last evaluation."
    )
    seconds: Seconds = Field(description="Training time of these steps, in seconds.")


class PointRun(_JobRun):
    """A run of a point."""

    validation: float | None = Field(
        description="Best validation of the metric; null if there is none."
    )
    test: float | None = Field(description="Test of the metric; null without a test.")


class PointResult(Section):
    """The result of a point."""

    point: Positive = Field(description="Its number, in the order in which they were drawn.")
    settings: dict[str, Any] = Field(description="Values by key path of the configuration.")
    validation: SeedStatistics | None = Field(
        description="Best validation of the metric; null if no run has one."
    )
    test: SeedStatistics | None = Field(description="Test of the metric; null if no run has one.")
    runs: list[PointRun] = Field(description="One run for each seed.")


class SweepReport(Document):
    """The results of a sweep.

    Printed by rum sweep --json; results.json in the directory of the sweep is the same.
    """

    kind: ClassVar[str] = "sweep"

    folder: str = Field(description="The directory of the sweep.")
    task: str = Field(description=_TASK)
    search: _Search
    metric: str | None = Field(
        description="The metric that compares the points; null if no run has started."
    )
    higher_is_better: bool = Field(description="Its direction.")
    parameters: list[str] = Field(description="The key paths of the search space.")
    runs_planned: Count | None = Field(
        description="Number of runs that are due; null if only time limits them."
    )
    runs: StateCounts = Field(description="The number of runs in each state.")
    points: list[PointResult] = Field(
        description="The points: the best first, those with a run without a value last."
    )


class SweepDryRun(Document):
    """The points of a sweep.

    Printed by rum sweep --dry-run --json.
    """

    kind: ClassVar[str] = "sweep-dry-run"

    search: _Search
    seeds: list[Seed] = Field(min_length=1, description="The seeds of each point.")
    max_runs: Count | None = Field(
        description="Maximum number of runs; null if only time limits them."
    )
    points: list[dict[str, Any]] | None = Field(
        description="The points, values by key path; null if they depend on results or on time."
    )


class RunMachine(Section):
    """A machine that made runs, as they recorded it."""

    processor: str | None = Field(description="Its processor; null if it is not recorded.")
    cores: Positive | None = Field(description="Its cores; null if they are not recorded.")
    accelerators: list[str] = Field(
        description="Names of the accelerators that the runs used; empty: none, or not recorded."
    )
    versions: dict[str, str] = Field(description="Versions by name.")


class Provenance(Section):
    """The commands and machines that made the runs."""

    commands: list[str] = Field(description="The commands, in their order.")
    machines: list[RunMachine] = Field(description="The machines, with the installed versions.")


class EntryRun(_JobRun):
    """A run of an entry."""

    part: Positive = Field(
        description="Number among the runs of one seed over which a result is averaged, from 1."
    )
    of_steps: Positive = Field(description="Number of training steps of the whole run.")
    until_met: bool = Field(description="Whether a validation met the threshold of train.until.")
    value: float | None = Field(
        description="The test metric with the weights of the best validation, in the table's unit; "
        "null if there is none."
    )
    data: str | None = Field(
        description="Source of its text or stories; null if there is none, or no test yet."
    )


class EntryResult(Section):
    """The result of a row under a condition."""

    row: str = Field(description="The model.")
    condition: str | None = Field(
        description="The condition, as in T = 50; null in a table without conditions."
    )
    published: str | None = Field(
        description="The published value as it is printed; null if there is none."
    )
    skip_reason: str | None = Field(
        description="Why the row runs only if it is selected; null if it runs by default."
    )
    ours: SeedStatistics | None = Field(
        description="Our result, in the table's unit; null if no run has a value."
    )
    whole: bool = Field(description="Whether the result of every seed is the mean of all parts.")
    runs: list[EntryRun] = Field(description="All its runs.")


class TableReport(Document):
    """The results of a table.

    Printed by rum reproduce --json; results.json in the directory of the table is the same.
    """

    kind: ClassVar[str] = "reproduce"

    table: str = Field(description="The table's name.")
    description: str = Field(description="Its description.")
    source: str = Field(description="Source of the published values.")
    task: str = Field(description=_TASK)
    metric: str = Field(description="The metric, a key of a run's summary.")
    unit: Literal["percent", "bits", "nats", "none"] = Field(
        description="The unit of the values; percent: the metric times 100."
    )
    seeds: Positive = Field(description="Number of seeds.")
    folder: str = Field(description="The directory of the runs.")
    setting: Provenance = Field(description="The commands and machines that made the runs.")
    runs: StateCounts = Field(description="The number of runs in each state.")
    entries: list[EntryResult] = Field(
        description="Row by row, and for each row the conditions in their order."
    )


class PlannedRun(Section):
    """A run of a table."""

    row: str = Field(description="The model.")
    condition: str | None = Field(description="The condition; null in a table without conditions.")
    part: Positive = Field(
        description="Number among the runs of one seed over which a result is averaged, from 1."
    )
    seed: Seed = Field(description="The run's seed.")
    steps: Positive = Field(description="Number of training steps.")
    folder: str = Field(description="Its run directory.")
    command: str = Field(description="The command that repeats it alone.")


class TableDryRun(Document):
    """The runs of a table.

    Printed by rum reproduce --dry-run --json.
    """

    kind: ClassVar[str] = "reproduce-dry-run"

    table: str = Field(description="The table's name.")
    runs: list[PlannedRun] = Field(description="The runs, in their order.")
