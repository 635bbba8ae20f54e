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
_Search = Annotated[Literal["grid", "random", "bayesian"], Field(description="Search method.")]


class SummaryBaseline(Section):
    """The baseline of the monitored metric."""

    metric: str = Field(
        description="Monitored metric, a key of this document. It selects the best weights."
    )
    label: str = Field(description="Name of the baseline, such as memoryless.")
    value: float = Field(description="Metric of a simple strategy, usually one without memory.")
    target: float = Field(description="Metric of a perfect model.")
    published: float | None = Field(
        None, description="Result of arXiv:1710.09537 for this data; null if there is none."
    )


class Verdict(Section):
    """A requirement and whether the result meets it."""

    requirement: str = Field(description="Threshold of the requirement, without spaces.")
    value: float | int | None = Field(
        description="Value of the metric; null if it is missing or not finite."
    )
    met: bool = Field(description="Whether the metric meets the requirement.")


Requirements = Annotated[
    Annotated[list[Verdict], Field(min_length=1)] | Absent,
    Field(
        description="Requirements of --require; absent without the option. If one is not met, the "
        "exit code is 1."
    ),
]


class _Result(Document):
    """Evaluation relative to the baseline. A custom task may add keys."""

    model_config = ConfigDict(extra="allow")

    task: str = Field(description=TASK)
    cell: str = Field(description=CELL)
    problem: str | Absent = Field(
        None, description="State tracking: name of the problem, such as a group."
    )
    subtask: _Subtask | Absent = Field(None, description="bAbI: number of the subtask.")
    subtask_name: str | Absent = Field(None, description="bAbI: name of the subtask.")
    input_level: Literal["words", "sentences"] | Absent = Field(
        None, description="bAbI: unit of a time step."
    )
    data: str | Absent = Field(None, description="Source of the text or stories, if any.")
    split: Literal["validation", "test"] = Field(description=_SPLIT)
    examples: Positive | Absent = Field(
        None, description="Tasks with generated examples: number of examples in the split."
    )
    characters: Positive | Absent = Field(
        None, description="Penn Treebank: number of scored characters in the split."
    )
    questions: Positive | Absent = Field(
        None, description="bAbI: number of questions in the split."
    )
    weights_of_step: Count = Field(description=WEIGHTS_OF_STEP)
    metric: str = Field(description="Metric of the task besides the loss, a key of this document.")
    loss: float | None = Field(
        description="Mean cross-entropy, in nats per answer, symbol or character (Penn Treebank); "
        "adding: mean squared error; null if not finite."
    )
    symbol_accuracy: Share | Absent = Field(
        None, description="Copying: fraction of correct symbols among the ten."
    )
    accuracy: Share | Absent = Field(
        None, description="Fraction of correct answers; adding: of sums within 0.04."
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
        None, description="Penn Treebank: exponential of the loss; null if not finite."
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
        None, description="Custom callback that stopped the run; null if none did."
    )
    skipped_steps: Count = Field(
        description="Number of steps skipped because of a non-finite loss or gradient."
    )
    requirements: Requirements = None


class AnswerCounts(Section):
    """The predictions for one correct answer."""

    answer: str = Field(description="The correct answer.")
    questions: Positive = Field(description="Number of questions with this answer.")
    right: Count = Field(description="Number of correct predictions among them.")
    given: dict[str, Positive] = Field(
        description="Number of times that each answer was predicted, the most frequent first."
    )


class StoryLine(Section):
    """A statement of a story."""

    line: Positive = Field(description="Number of the line in the story.")
    text: str = Field(description="Text of the line.")
    supporting: bool = Field(description="Whether the data marks the line as a supporting fact.")
    attention: list[Share] | None = Field(
        description="Attention weight of this line at each hop; null for a model without attention."
    )


class StoryExample(Section):
    """A question with its story."""

    story: list[StoryLine] = Field(description="Statements before the question.")
    question: str = Field(description="The question.")
    answer: str = Field(description="The correct answer.")
    given: str = Field(description="Answer of the model.")
    probability: Share = Field(description="The predicted probability of the model's answer.")


class LengthResult(Section):
    """The evaluation on sequences of one length."""

    model_config = ConfigDict(extra="allow")

    length: Positive = Field(description="Length of the sequences, as in task.length.")
    loss: float | None = Field(description="Loss, as in the main document.")
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
        None, description="bAbI: predictions for each correct answer, the most frequent first."
    )
    stories: list[StoryExample] | Absent = Field(
        None, description="bAbI with --examples: questions, wrongly answered ones first."
    )
    lengths: list[LengthResult] | Absent = Field(
        None, description="With --length: evaluation at each length."
    )
    requirements: Requirements = None


class PredictionLine(Document):
    """The prediction for one sample.

    A line of the file of rum eval --save-predictions. The mean of correct over all lines is the
    accuracy, and the mean of loss is the loss. A regression has only index, inputs, target and
    prediction.
    """

    kind: ClassVar[str] = "prediction"

    index: Count = Field(
        description="Index of the example or question in the split, or of the character in the "
        "text, from 0."
    )
    inputs: list[str] | Absent = Field(
        None, description="Labels of the inputs, such as words or sentences; absent for characters."
    )
    target: Any = Field(description="Correct answer: a name, a number, or a list of these.")
    prediction: Any = Field(description="Answer of the model, in the same form.")
    probability: Share | list[Share] | Absent = Field(
        None, description="The predicted probability of the model's answer."
    )
    correct: bool | list[bool] | Absent = Field(None, description="Whether the answer is correct.")
    loss: float | Absent = Field(
        None, description="Mean cross-entropy over the time steps with a target, in nats."
    )


class SubtaskResult(Section):
    """The result of one subtask of bAbI."""

    subtask: _Subtask = Field(description="Number of the subtask.")
    name: str = Field(description="Name of the subtask.")
    accuracy: Share = Field(description="Fraction of the answers that are correct.")
    standard_error: _Deviation = Field(description="Standard error of the accuracy.")
    loss: float = Field(description="Mean cross-entropy, in nats per answer.")
    questions: Positive = Field(description="Number of questions in the split.")
    weights_of_step: Count = Field(description=WEIGHTS_OF_STEP)
    steps: Count = Field(description="Number of training steps.")
    seconds: Seconds = Field(description="Training time in seconds.")
    data: str = Field(description="Source of the stories.")
    majority: Share = Field(
        description="Baseline: accuracy of always predicting the most frequent answer."
    )


class SuiteSummary(Document):
    """The result of all subtasks of bAbI.

    Printed by rum train babi --subtask all --json when all are finished; without requirements,
    summary.json in the run directory is the same.
    """

    kind: ClassVar[str] = "train-all"

    task: str = Field(description="Name of the task.")
    cell: str = Field(description=CELL)
    steps: Count = Field(description="Number of training steps of each subtask.")
    seconds: Seconds = Field(description="Training time of all subtasks together, in seconds.")
    split: Literal["validation", "test"] = Field(description=_SPLIT)
    mean_accuracy: Share = Field(description="Mean accuracy of the subtasks.")
    standard_error: _Deviation = Field(description="Standard error of the mean accuracy.")
    passed: Count = Field(
        le=20, description="Number of subtasks with an accuracy of at least passed_from."
    )
    passed_from: Share = Field(description="Accuracy at which a subtask passes.")
    published_means: dict[str, Share] = Field(
        description="Mean accuracies of arXiv:1710.09537 by cell, from memory, unverified."
    )
    subtasks: list[SubtaskResult] = Field(
        min_length=1, max_length=20, description="Results of the subtasks, ordered by number."
    )
    folder: str = Field(description=FOLDER)
    requirements: Requirements = None


class SeedStatistics(Section):
    """Mean and standard deviation over the seeds."""

    mean: float = Field(description="Mean over the seeds.")
    deviation: Annotated[float, Field(ge=0)] | None = Field(
        description="Sample standard deviation; null for one seed."
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
    seed: Seed = Field(description="Seed of the run.")
    folder: str = Field(description="Path of the run directory.")
    state: str = Field(
        description="finished, stopped (its share of a budget was used up, and it was tested), "
        "stopped early, unfinished, failed or not started."
    )
    message: str = Field(description="Reason of a failure, a stop or an omission; empty otherwise.")
    step: Count = Field(
        description="Training step of the test; without a test, of the last evaluation."
    )
    seconds: Seconds = Field(description="Training time of these steps, in seconds.")


class PointRun(_JobRun):
    """A run of a point."""

    validation: float | None = Field(
        description="Best metric on the validation split; null if there is none."
    )
    test: float | None = Field(description="Metric on the test split; null without a test.")


class PointResult(Section):
    """The result of a point."""

    point: Positive = Field(description="Number of the point, in the order of the search.")
    settings: dict[str, Any] = Field(
        description="Values of the point by key path of the configuration."
    )
    validation: SeedStatistics | None = Field(
        description="Best metric on the validation split; null if no run has one."
    )
    test: SeedStatistics | None = Field(
        description="Metric on the test split; null if no run has one."
    )
    runs: list[PointRun] = Field(description="Runs of the point, one for each seed.")


class SweepReport(Document):
    """The results of a sweep.

    Printed by rum sweep --json; results.json in the directory of the sweep is the same.
    """

    kind: ClassVar[str] = "sweep"

    folder: str = Field(description="The directory of the sweep.")
    task: str = Field(description=_TASK)
    search: _Search
    metric: str | None = Field(
        description="Metric that ranks the points; null if no run has started."
    )
    higher_is_better: bool = Field(description="Whether a higher metric is better.")
    parameters: list[str] = Field(description="The key paths of the search space.")
    runs_planned: Count | None = Field(
        description="Planned number of runs; null if only time limits them."
    )
    runs: StateCounts = Field(description="The number of runs in each state.")
    points: list[PointResult] = Field(
        description="Points, the best first; those with a run without a value are last."
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
        description="Values of each point by key path; null if they depend on results or on time."
    )


class RunMachine(Section):
    """A machine on which runs were trained, as they recorded it."""

    processor: str | None = Field(description="Name of the processor; null if it is not recorded.")
    cores: Positive | None = Field(description="Number of cores; null if it is not recorded.")
    accelerators: list[str] = Field(
        description="Names of the accelerators that the runs used; empty if there are none or they "
        "are not recorded."
    )
    versions: dict[str, str] = Field(description="Versions by name.")


class Provenance(Section):
    """Commands and machines of the runs."""

    commands: list[str] = Field(description="Commands, in order.")
    machines: list[RunMachine] = Field(description="Machines, with the installed versions.")


class EntryRun(_JobRun):
    """A run of an entry."""

    part: Positive = Field(
        description="Number among the runs of one seed over which a result is averaged, from 1."
    )
    of_steps: Positive = Field(description="Number of training steps of the whole run.")
    until_met: bool = Field(description="Whether a validation met the threshold of train.until.")
    value: float | None = Field(
        description="Metric on the test split with the weights of the best validation, in the unit "
        "of the table; null if there is none."
    )
    data: str | None = Field(
        description="Source of the text or stories; null if there is none, or no test yet."
    )


class EntryResult(Section):
    """The result of a row under a condition."""

    row: str = Field(description="The model.")
    condition: str | None = Field(
        description="The condition, as in T = 50; null in a table without conditions."
    )
    published: str | None = Field(description="Published value as printed; null if there is none.")
    skip_reason: str | None = Field(
        description="Reason why the row runs only if it is selected; null if it runs by default."
    )
    ours: SeedStatistics | None = Field(
        description="Our result, in the unit of the table; null if no run has a value."
    )
    whole: bool = Field(description="Whether the result of every seed is the mean of all parts.")
    runs: list[EntryRun] = Field(description="Runs of the entry.")


class TableReport(Document):
    """The results of a table.

    Printed by rum reproduce --json; results.json in the directory of the table is the same.
    """

    kind: ClassVar[str] = "reproduce"

    table: str = Field(description="Name of the table.")
    description: str = Field(description="Description of the table.")
    source: str = Field(description="Source of the published values.")
    task: str = Field(description=_TASK)
    metric: str = Field(description="Metric of the table, a key of the summary of a run.")
    unit: Literal["percent", "bits", "nats", "none"] = Field(
        description="Unit of the values; percent is 100 times the metric."
    )
    seeds: Positive = Field(description="Number of seeds.")
    folder: str = Field(description="The directory of the runs.")
    setting: Provenance = Field(description="Commands and machines of the runs.")
    runs: StateCounts = Field(description="The number of runs in each state.")
    entries: list[EntryResult] = Field(description="Entries by row, and within a row by condition.")


class PlannedRun(Section):
    """A run of a table."""

    row: str = Field(description="The model.")
    condition: str | None = Field(description="The condition; null in a table without conditions.")
    part: Positive = Field(
        description="Number among the runs of one seed over which a result is averaged, from 1."
    )
    seed: Seed = Field(description="Seed of the run.")
    steps: Positive = Field(description="Number of training steps.")
    folder: str = Field(description="Path of the run directory.")
    command: str = Field(description="Command that repeats this run.")


class TableDryRun(Document):
    """The runs of a table.

    Printed by rum reproduce --dry-run --json.
    """

    kind: ClassVar[str] = "reproduce-dry-run"

    table: str = Field(description="Name of the table.")
    runs: list[PlannedRun] = Field(description="Runs, in order.")
