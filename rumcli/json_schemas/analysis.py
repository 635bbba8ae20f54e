"""Documents about runs: comparison, learning curves, inspection, generated text and exports."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

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
)

EvaluatedSplit = Literal["validation", "test"]
_Vector = list[float | None]
_NO_NUMBERS = "null if the cell has none"


class ComparedBaseline(Section):
    """The baseline of a metric."""

    label: str = Field(description="The name of the baseline, as in memoryless.")
    value: float = Field(description="The metric of a model that has learned nothing of the task.")
    target: float = Field(description="The metric of a model that makes no mistake.")
    published: float | None = Field(
        description="The result of arXiv:1710.09537 for this data; null if there is none."
    )


class ComparedRun(Section):
    """A run beside others."""

    folder: str = Field(description=FOLDER)
    cell: str = Field(description=CELL)
    finished: bool = Field(description="Whether it has a summary.")
    steps: Count = Field(description="Number of recorded training steps.")
    of_steps: Positive = Field(description="Number of training steps in its configuration.")
    seconds: float | None = Field(
        description="Training time in seconds; null before the first evaluation."
    )
    parameters: Count | None = Field(
        description="Number of trainable weights; null if it is not known."
    )
    value: float | None = Field(
        description="The metric: on the test split for a finished run, otherwise of the best "
        "validation; null before the first evaluation."
    )
    split: EvaluatedSplit | None = Field(description="The split of the value; null without one.")
    weights_of_step: Count | None = Field(
        description="The training step of the evaluated weights; null without one."
    )
    baseline: ComparedBaseline | None = Field(description="The baseline; null if it is not known.")
    gap_to_baseline: float | None = Field(
        description="The value minus the baseline; null if one is missing."
    )
    settings: dict[str, Any] = Field(
        description="The values of the keys in differences; null for a key that the run lacks."
    )


class ComparedRuns(Section):
    """The runs of one task."""

    task: str = Field(description="The task of the runs.")
    metric: str = Field(description="The metric that orders them.")
    higher_is_better: bool = Field(description="Its direction.")
    differences: list[str] = Field(
        description="Keys in which the configurations differ, as in cell.units."
    )
    runs: list[ComparedRun] = Field(
        min_length=1, description="The runs: the best first, those without a value last."
    )


class Comparison(Document):
    """Runs side by side.

    Printed by rum compare --json.
    """

    kind: ClassVar[str] = "compare"

    groups: list[ComparedRuns] = Field(
        min_length=1, description="A group for each task, in the order of the arguments."
    )


class ReportedRun(ComparedRun):
    """A run of a report."""

    label: str = Field(description="Its name in tables and curves.")
    count: Positive | None = Field(
        description="Number of examples or questions that the value is the mean of; null if it is "
        "not known, or the value is no accuracy of a test."
    )
    standard_error: float | None = Field(
        description="Binomial standard error of an accuracy; null without a count."
    )
    validations: list[float] = Field(
        description="The metric of each validation, in order, without non-finite ones."
    )
    environment: dict[str, Any] = Field(
        description="Versions and machine of its first part, from environment.json."
    )
    command: str = Field(description="The command that repeats the run.")


class Report(Document):
    """Runs of one task in a report.

    Printed by rum report --json, which writes a page only if --out names one.
    """

    kind: ClassVar[str] = "report"

    task: str = Field(description="The task of the runs.")
    metric: str = Field(description="The metric that orders them.")
    higher_is_better: bool = Field(description="Its direction.")
    differences: list[str] = Field(
        description="Keys in which the configurations differ, as in cell.units."
    )
    runs: list[ReportedRun] = Field(
        min_length=1, description="The runs: the best first, those without a value last."
    )
    path: str | None = Field(description="The page that was written; null if none.")


RunState = Literal["running", "finished", "stopped", "failed", "not started"]


class ListedRun(Section):
    """A run and its state."""

    folder: str = Field(description=FOLDER)
    state: RunState = Field(
        description="running: a process has the directory; finished: no training steps are left; "
        "stopped: it can be resumed; failed: its process was killed, or its sweep or table "
        "recorded an error; not started: the process that created it ended before its first step."
    )
    message: str = Field(description="Reason of a failure or a stop, in one line; may be empty.")
    task: str | None = Field(description="The task's name; null for a run that has not started.")
    cell: str | None = Field(description="The cell's name; null for a run that has not started.")
    steps: Count = Field(description="Number of training steps that are recorded or saved.")
    of_steps: Positive | None = Field(
        description="Number of training steps in its configuration; null for a run that has not "
        "started."
    )
    metric: str | None = Field(
        description="The monitored metric; null for a run that has not started."
    )
    value: float | None = Field(
        description="The metric: on the test split for a finished run, otherwise of the best "
        "validation; null before the first evaluation."
    )
    split: EvaluatedSplit | None = Field(description="The split of the value; null without one.")
    baseline: ComparedBaseline | None = Field(description="The baseline; null if it is not known.")
    changed: str = Field(description="Time of its latest change: ISO 8601, in UTC.")
    age: Seconds = Field(description="Time since its latest change, in seconds.")


class RunList(Document):
    """Runs and their states.

    Printed by rum runs --json.
    """

    kind: ClassVar[str] = "runs"

    runs: list[ListedRun] = Field(description="The runs, the one that changed last at the end.")


class CurvePoint(Section):
    """One evaluation of a run."""

    step: Count = Field(description="Number of training steps done.")
    seconds: Seconds | None = Field(
        description="Training time until then, in seconds; null if it is not recorded."
    )
    value: float | None = Field(
        description="The metric on the validation split; null if it was not finite."
    )
    length: Positive | Absent = Field(
        None, description="With --over length: length of the test sequences."
    )


class LearningCurve(Section):
    """The learning curve of a run."""

    folder: str = Field(description=FOLDER)
    label: str = Field(description="The label of the curve.")
    points: list[CurvePoint] = Field(
        min_length=1,
        description="One point for each evaluation, in order; with --over length, for each length.",
    )


class CurveLevel(Section):
    """A horizontal line of the plot."""

    label: str = Field(description="Its label, as in memoryless or published.")
    value: float = Field(description="Its value, in the metric's unit.")


class LearningCurves(Document):
    """Learning curves, or the test metric over the length of the sequences.

    Printed by rum plot --json, which draws a plot only if --out is given.
    """

    kind: ClassVar[str] = "plot"

    metric: str = Field(description="The metric, as in loss or bits_per_character.")
    runs: list[LearningCurve] = Field(min_length=1, description="In the order of the arguments.")
    levels: list[CurveLevel] = Field(description="Baselines and published results.")
    plot: str | None = Field(description="Plot file that was written; null if none.")


class LayerTrace(Section):
    """A recurrent cell at the steps of an example."""

    name: str = Field(description="The layer's name.")
    part: str | None = Field(description="The cell within the layer, if it has several; else null.")
    backwards: bool = Field(
        description="Whether it reads from the end; then step 0 is the last one."
    )
    angles_degrees: _Vector | None = Field(
        None, description=f"Rotation angle, in degrees from 0 to 180: [T]; {_NO_NUMBERS}."
    )
    norms: _Vector | None = Field(None, description="Norm of the state: [T].")
    update_gates: list[_Vector] | None = Field(
        None,
        description="Fraction of its state that a unit keeps, in the order of the units: [T, H]; "
        f"from 0 to 1, except with layer_norm_order: after_sigmoid; {_NO_NUMBERS}.",
    )
    spectrum_steps: list[Count] | None = Field(
        None, description="The S steps of the spectra; null without an associative memory."
    )
    spectrum_degrees: list[_Vector] | None = Field(
        None,
        description="Angles of the eigenvalues of the associative memory, in degrees: [S, H]; "
        f"{_NO_NUMBERS}.",
    )


class TracedExample(Section):
    """An example and the cells that read it."""

    number: Count = Field(description="Its number in the split, from 0.")
    steps: list[str] = Field(min_length=1, description="A label for each of its T time steps.")
    layers: list[LayerTrace] = Field(min_length=1, description="The cells, the lowest first.")


class LossLandscape(Section):
    """The loss on a plane through the weights."""

    seed: Count = Field(description="Seed of the two directions.")
    batches: Positive = Field(description="Number of batches that each point is evaluated on.")
    samples: Positive = Field(description="Number of samples in them.")
    ticks: list[float] = Field(
        min_length=3, description="The distances a and b, in norms of the weights."
    )
    losses: list[_Vector] = Field(
        description="A row for each b, a column for each a; the weights themselves are in the "
        "middle."
    )


class Inspection(Document):
    """The states of a run's cells, and the loss around its weights.

    Printed by rum inspect --json, which draws a plot only if --out is given. Only the views of
    --views are included. Numbers that are not finite are null.
    """

    kind: ClassVar[str] = "inspect"

    task: str = Field(description=TASK)
    cell: str = Field(description=CELL)
    split: EvaluatedSplit = Field(description="The split of the example.")
    weights_of_step: Count = Field(description=WEIGHTS_OF_STEP)
    folder: str = Field(description=FOLDER)
    example: TracedExample | Absent = Field(
        None, description="The states of the cells at each step of one example."
    )
    landscape: LossLandscape | Absent = Field(None, description="The loss around the weights.")


class GeneratedText(Document):
    """A text that a run generated.

    Printed by rum generate --json.
    """

    kind: ClassVar[str] = "generate"

    prompt: str = Field(description="Its beginning; bytes that are not UTF-8 are replaced.")
    text: str = Field(description="The text after it; bytes that are not UTF-8 are replaced.")
    length: Positive = Field(description="Number of generated symbols: bytes, or unknown ones.")
    seed: Count = Field(description="Seed of the draws.")
    temperature: float = Field(
        ge=0, description="Temperature of the draws; 0 takes the most probable symbol."
    )
    bits_per_character: float | None = Field(
        description="Cross-entropy of the text, in bits, at temperature 1; null if not finite."
    )
    folder: str = Field(description=FOLDER)


class TensorSpec(Section):
    """An input or output of an exported model."""

    name: str = Field(description="Its name.")
    shape: list[int | None] = Field(
        description="Its shape; null for a dynamic size, such as the number of samples."
    )
    dtype: str = Field(description="Its dtype, as in int32.")


class Export(Document):
    """A model for other programs.

    Printed by rum export --json.
    """

    kind: ClassVar[str] = "export"

    run: str = Field(description=FOLDER)
    task: str = Field(description=TASK)
    cell: str = Field(description=CELL)
    weights_of_step: Count = Field(description=WEIGHTS_OF_STEP)
    format: Literal["keras", "safetensors", "savedmodel", "onnx"] = Field(description="Its format.")
    path: str = Field(
        description="The file or directory that was written. A directory also has a README.md, the "
        "model card."
    )
    bytes: Positive = Field(description="Its size, in bytes; of a directory, of all files in it.")
    inputs: list[TensorSpec] = Field(min_length=1, description="The model's inputs.")
    outputs: list[TensorSpec] = Field(min_length=1, description="The model's outputs.")
    examples_compared: Positive = Field(
        description="Number of samples of the validation split on which it was compared with the "
        "run's model."
    )
    largest_difference: float = Field(
        ge=0, description="Largest difference between its outputs and those of the run's model."
    )
    tolerance: float = Field(gt=0, description="Largest difference that counts as rounding.")


class ImportedCell(Document):
    """A RUM of the original implementation.

    Printed by rum import-checkpoint --json.
    """

    kind: ClassVar[str] = "import-checkpoint"

    checkpoint: str = Field(description="The common prefix of the checkpoint's files.")
    scope: str = Field(description="The variable scope of the cell in it; empty at the top.")
    cell: Literal["rum", "arum"] = Field(description="The cell.")
    features: Positive = Field(description="Size of the cell's input.")
    units: Positive = Field(description="Size of the cell's state.")
    update_gate: bool = Field(description="Whether it has an update gate.")
    layer_norm: bool = Field(description="Whether its gates are normalized.")
    time_norm: Annotated[float, Field(gt=0)] | None = Field(
        description="Time norm η as given; null: none."
    )
    activation: str = Field(description="Activation of the candidate as given.")
    zoneout: float = Field(ge=0, lt=1, description="Zoneout as given.")
    variables: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        description="The names of the checkpoint's variables by the weight made of them."
    )
    path: str = Field(description="The file that was written.")
    bytes: Positive = Field(description="Its size, in bytes.")
    largest_difference: float = Field(
        ge=0,
        description="Largest difference between the outputs of the file, read again, and those of "
        "the layer that was written.",
    )
