"""Documents of sets of runs: `rum sweep` and `rum reproduce`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from rumcli.json_schemas.base import Count, Document, Positive, Seconds, Section, Seed

_TASK = "The task of all runs."
_Search = Annotated[
    Literal["grid", "random", "bayesian"], Field(description="How the points are chosen.")
]


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
    not_begun: Count = Field(description="Number of runs that have not begun.")


class _JobRun(Section):
    seed: Seed = Field(description="The run's seed.")
    folder: str = Field(description="Its run directory.")
    state: str = Field(
        description="finished, stopped (its share of a budget was used up, and it was tested), "
        "stopped early, unfinished, failed or not begun."
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
        description="The metric that compares the points; null if no run has begun."
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
    runs: Count | None = Field(description="Largest number of runs; null if only time limits them.")
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
    reached: bool = Field(description="Whether a validation met the threshold of train.until.")
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
