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

    label: str = Field(description="Name of the baseline, such as memoryless.")
    value: float = Field(description="Metric of a simple strategy, usually one without memory.")
    target: float = Field(description="Metric of a perfect model.")
    published: float | None = Field(
        description="Result of arXiv:1710.09537 for this data; null if there is none."
    )


class ComparedRun(Section):
    """A run in a comparison."""

    folder: str = Field(description=FOLDER)
    cell: str = Field(description=CELL)
    finished: bool = Field(description="Whether the run has a summary.")
    steps: Count = Field(description="Number of recorded training steps.")
    of_steps: Positive = Field(description="Number of training steps in its configuration.")
    seconds: float | None = Field(
        description="Training time in seconds; null before the first evaluation."
    )
    parameters: Count | None = Field(description="Number of trainable weights; null if unknown.")
    value: float | None = Field(
        description="Metric: on the test split for a finished run, otherwise of the best "
        "validation; null before the first evaluation."
    )
    split: EvaluatedSplit | None = Field(description="Split of the value; null without one.")
    weights_of_step: Count | None = Field(
        description="Training step of the evaluated weights; null without one."
    )
    baseline: ComparedBaseline | None = Field(description="Baseline; null if it is not known.")
    gap_to_baseline: float | None = Field(
        description="Value minus the baseline; null if one is missing."
    )
    settings: dict[str, Any] = Field(
        description="Values of the keys in differences; null for a key that the run lacks."
    )


class ComparedRuns(Section):
    """The runs of one task."""

    task: str = Field(description="Task of the runs.")
    metric: str = Field(description="Metric that orders them.")
    higher_is_better: bool = Field(description="Its direction.")
    differences: list[str] = Field(
        description="Keys in which the configurations differ, as in cell.units."
    )
    runs: list[ComparedRun] = Field(
        min_length=1, description="Runs: the best first, those without a value last."
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

    label: str = Field(description="Label of the run in tables and curves.")
    count: Positive | None = Field(
        description="Number of examples or questions in the test split; null if it is unknown, or "
        "the value is not a test accuracy."
    )
    standard_error: float | None = Field(
        description="Binomial standard error of an accuracy; null without a count."
    )
    validations: list[float] = Field(
        description="Finite values of the metric at each validation, in order."
    )
    environment: dict[str, Any] = Field(
        description="Versions and machine at the start of the run, from environment.json."
    )
    command: str = Field(description="Command that repeats the run.")


class Report(Document):
    """Runs of one task in a report.

    Printed by rum report --json, which writes a page only if --out names one.
    """

    kind: ClassVar[str] = "report"

    task: str = Field(description="Task of the runs.")
    metric: str = Field(description="Metric that orders them.")
    higher_is_better: bool = Field(description="Its direction.")
    differences: list[str] = Field(
        description="Keys in which the configurations differ, as in cell.units."
    )
    runs: list[ReportedRun] = Field(
        min_length=1, description="Runs: the best first, those without a value last."
    )
    path: str | None = Field(description="Page that was written; null if none.")


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
    task: str | None = Field(description="Name of the task; null for a run that has not started.")
    cell: str | None = Field(description="Name of the cell; null for a run that has not started.")
    steps: Count = Field(description="Number of training steps that are recorded or saved.")
    of_steps: Positive | None = Field(
        description="Number of training steps in its configuration; null for a run that has not "
        "started."
    )
    metric: str | None = Field(description="Monitored metric; null for a run that has not started.")
    value: float | None = Field(
        description="Metric: on the test split for a finished run, otherwise of the best "
        "validation; null before the first evaluation."
    )
    split: EvaluatedSplit | None = Field(description="Split of the value; null without one.")
    baseline: ComparedBaseline | None = Field(description="Baseline; null if it is not known.")
    changed: str = Field(description="Time of the latest change: ISO 8601, in UTC.")
    age: Seconds = Field(description="Time since the latest change, in seconds.")


class RunList(Document):
    """Runs and their states.

    Printed by rum runs --json.
    """

    kind: ClassVar[str] = "runs"

    runs: list[ListedRun] = Field(description="Runs, the most recently changed last.")


class CurvePoint(Section):
    """One evaluation of a run."""

    step: Count = Field(description="Number of completed training steps.")
    seconds: Seconds | None = Field(
        description="Training time so far, in seconds; null if it is not recorded."
    )
    value: float | None = Field(description="Metric on the validation split; null if not finite.")
    length: Positive | Absent = Field(
        None, description="With --over length: length of the test sequences."
    )


class LearningCurve(Section):
    """The learning curve of a run."""

    folder: str = Field(description=FOLDER)
    label: str = Field(description="Label of the curve.")
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

    metric: str = Field(description="Metric, as in loss or bits_per_character.")
    runs: list[LearningCurve] = Field(min_length=1, description="In the order of the arguments.")
    levels: list[CurveLevel] = Field(description="Baselines and published results.")
    plot: str | None = Field(description="Plot file that was written; null if none.")


class LayerTrace(Section):
    """A recurrent cell at the steps of an example."""

    name: str = Field(description="Name of the layer.")
    part: str | None = Field(
        description="Cell within the layer, if the layer has several; otherwise null."
    )
    backwards: bool = Field(
        description="Whether the layer reads backward; step 0 is then the last step."
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

    number: Count = Field(description="Index of the example in the split, from 0.")
    steps: list[str] = Field(min_length=1, description="Labels of the T time steps.")
    layers: list[LayerTrace] = Field(min_length=1, description="Cells, the lowest first.")


class LossLandscape(Section):
    """The loss on a plane through the weights."""

    seed: Count = Field(description="Seed of the two directions.")
    batches: Positive = Field(description="Number of batches per evaluation.")
    samples: Positive = Field(description="Number of samples in these batches.")
    ticks: list[float] = Field(
        min_length=3, description="Distances a and b, relative to the norm of the weights."
    )
    losses: list[_Vector] = Field(
        description="A row for each b and a column for each a; the weights of the run are in the "
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
    split: EvaluatedSplit = Field(description="Split of the example.")
    weights_of_step: Count = Field(description=WEIGHTS_OF_STEP)
    folder: str = Field(description=FOLDER)
    example: TracedExample | Absent = Field(
        None, description="States of the cells at each step of one example."
    )
    landscape: LossLandscape | Absent = Field(None, description="Loss around the weights.")


class GeneratedText(Document):
    """Text generated by a run.

    Printed by rum generate --json.
    """

    kind: ClassVar[str] = "generate"

    prompt: str = Field(description="Prompt; bytes that are not UTF-8 are replaced.")
    text: str = Field(description="Generated text; bytes that are not UTF-8 are replaced.")
    length: Positive = Field(description="Number of generated symbols: bytes, or unknown ones.")
    seed: Count = Field(description="Seed of the sampling.")
    temperature: float = Field(
        ge=0, description="Sampling temperature; 0 selects the most probable symbol."
    )
    bits_per_character: float | None = Field(
        description="Cross-entropy of the text, in bits, at temperature 1; null if not finite."
    )
    folder: str = Field(description=FOLDER)


class TensorSpec(Section):
    """An input or output of an exported model."""

    name: str = Field(description="Name of the tensor.")
    shape: list[int | None] = Field(
        description="Shape of the tensor; null for a dynamic size, such as the number of samples."
    )
    dtype: str = Field(description="Dtype of the tensor, such as int32.")


class Export(Document):
    """An exported model.

    Printed by rum export --json.
    """

    kind: ClassVar[str] = "export"

    run: str = Field(description=FOLDER)
    task: str = Field(description=TASK)
    cell: str = Field(description=CELL)
    weights_of_step: Count = Field(description=WEIGHTS_OF_STEP)
    format: Literal["keras", "safetensors", "savedmodel", "onnx"] = Field(description="Format.")
    path: str = Field(
        description="File or directory that was written. A directory also contains the model card, "
        "README.md."
    )
    bytes: Positive = Field(description="Size in bytes; of a directory, that of all its files.")
    inputs: list[TensorSpec] = Field(min_length=1, description="Inputs of the model.")
    outputs: list[TensorSpec] = Field(min_length=1, description="Outputs of the model.")
    examples_compared: Positive = Field(
        description="Number of validation samples on which the outputs were compared with those of "
        "the run's model."
    )
    largest_difference: float = Field(
        ge=0, description="Largest difference from the outputs of the run's model."
    )
    tolerance: float = Field(gt=0, description="Largest accepted difference.")


class ImportedCell(Document):
    """A RUM of the original implementation.

    Printed by rum import-checkpoint --json.
    """

    kind: ClassVar[str] = "import-checkpoint"

    checkpoint: str = Field(description="Common prefix of the checkpoint's files.")
    scope: str = Field(description="Variable scope of the cell in it; empty at the top.")
    cell: Literal["rum", "arum"] = Field(description="Name of the cell.")
    features: Positive = Field(description="Size of the cell's input.")
    units: Positive = Field(description="Size of the cell's state.")
    update_gate: bool = Field(description="Whether the cell has an update gate.")
    layer_norm: bool = Field(description="Whether the cell has layer normalization.")
    time_norm: Annotated[float, Field(gt=0)] | None = Field(
        description="Time norm η, as given; null for none."
    )
    activation: str = Field(description="Activation of the candidate as given.")
    zoneout: float = Field(ge=0, lt=1, description="Zoneout as given.")
    variables: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(
        description="Variables of the checkpoint by the weight that they determine."
    )
    path: str = Field(description="File that was written.")
    bytes: Positive = Field(description="Size of the file, in bytes.")
    largest_difference: float = Field(
        ge=0,
        description="Largest difference between the outputs of the loaded file and those of the "
        "original layer.",
    )
