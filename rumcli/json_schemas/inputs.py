"""JSON documents on presets, cells, tasks, configurations and data."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from rumcli.json_schemas.base import Absent, Count, Document, Positive, Section, Seed, Sha256, Share

_SEED = "Seed of data, weights, dropout and zoneout."
_PRECISION = "Precision of the computation, as in float32."

_Split = Literal["train", "validation", "test"]
_Subtask = Annotated[int, Field(ge=1, le=20)]


class PresetRow(Section):
    """One preset of a list."""

    name: str = Field(description="Name of the preset, the value of --preset.")
    task: str = Field(description="Name of the task.")
    description: str = Field(description="A description in one sentence.")


class PresetList(Document):
    """The presets.

    Printed by rum presets list --json.
    """

    kind: ClassVar[str] = "presets-list"

    presets: list[PresetRow] = Field(description="Presets by name.")


class Named(Section):
    """A section of a configuration whose name determines its other keys."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(description="Name of the model; it determines the other keys.")


class Configuration(Section):
    """All sections of a configuration."""

    task: Named = Field(description="Task and its data.")
    cell: Named = Field(description="Cell and its options.")
    model: dict[str, Any] = Field(description="Layers around the cell.")
    optimizer: Named = Field(description="Optimizer and its options.")
    train: dict[str, Any] = Field(description="Duration, evaluation and checkpoints, in steps.")
    seed: Seed = Field(description=_SEED)
    precision: str = Field(description=_PRECISION)


class Estimate(Section):
    """The size of a run."""

    parameters: Count = Field(description="Number of trainable weights.")
    memory: Count = Field(
        description="Lower bound of the memory of a training step, in bytes: weights, gradients, "
        "optimizer and the outputs of the layers; the backend itself and the intermediate values "
        "of the time steps need more."
    )
    steps: Positive = Field(description="Number of training steps.")
    batch_size: Positive = Field(description="Examples per training step.")
    steps_per_epoch: Positive | None = Field(
        description="Number of training steps per epoch; null if the task has no epochs."
    )
    unit: str = Field(description="Unit of the sizes of the splits, such as examples.")
    validation: Count = Field(description="Size of the validation split, in this unit.")
    test: Count = Field(description="Size of the test split, in this unit.")
    data: str | None = Field(description="Source of the text or stories; null for generated data.")


class DryRun(Document):
    """A complete configuration.

    Printed by rum train --dry-run --json; docs/configuration.md describes every key of the
    sections.
    """

    kind: ClassVar[str] = "train-dry-run"

    config: Configuration = Field(description="Every setting of the run, as in config.yaml.")
    estimate: Estimate | Absent = Field(
        None, description="Size of the run; absent with --quiet, or if there is a problem."
    )
    problem: str | Absent = Field(
        None,
        description="Reason why the model cannot be built here, in one line; absent otherwise.",
    )


class PresetSettings(Section):
    """The sections of a preset."""

    description: str | Absent = Field(None, description="A description in one sentence.")
    task: Named = Field(description="Task and its data.")
    cell: Named | Absent = Field(None, description="Cell and its options.")
    model: dict[str, Any] | Absent = Field(None, description="Layers around the cell.")
    optimizer: Named | Absent = Field(None, description="Optimizer and its options.")
    train: dict[str, Any] | Absent = Field(
        None, description="Duration, evaluation and checkpoints, in steps."
    )
    seed: Seed | Absent = Field(None, description=_SEED)
    precision: str | Absent = Field(None, description=_PRECISION)


class Preset(Document):
    """The settings of a preset, a run or a file.

    Printed by rum presets show --json; docs/configuration.md describes every key of the sections.
    """

    kind: ClassVar[str] = "presets-show"

    preset: str = Field(description="Name of the preset, or path of the run directory or file.")
    config: PresetSettings = Field(
        description="Content of the YAML file; all other settings have their defaults."
    )


class PresetCopy(Document):
    """The copy of a preset.

    Printed by rum presets copy --json.
    """

    kind: ClassVar[str] = "presets-copy"

    preset: str = Field(description="Name of the preset.")
    path: str = Field(description="File that was written.")


class OptionRow(Section):
    """One option of a cell or a task."""

    name: str = Field(description="Name of the option, a key of the section.")
    default: Any = Field(description="Default value, before any preset.")
    values: str = Field(description="Description of the accepted values.")
    description: str | None = Field(
        description="Meaning of the option; null if the name is self-explanatory."
    )


class _Registered(Section):
    name: str = Field(description="Name in configurations and on the command line.")
    description: str = Field(description="A description in one sentence.")
    source: str = Field(description="Reference to the paper.")
    options: list[OptionRow] = Field(description="Options, the keys of the section.")


class CellRow(_Registered):
    """One cell of a list."""


class CellList(Document):
    """The cells.

    Printed by rum cells --json.
    """

    kind: ClassVar[str] = "cells"

    cells: list[CellRow] = Field(min_length=1, description="Cells, RUM first.")


class TaskRow(_Registered):
    """One task of a list."""

    metrics: list[str] = Field(description="Metrics of an evaluation.")
    presets: list[str] = Field(description="Presets of the task.")


class TaskList(Document):
    """The tasks.

    Printed by rum tasks --json.
    """

    kind: ClassVar[str] = "tasks"

    tasks: list[TaskRow] = Field(min_length=1, description="Tasks.")


class LayerSummary(Section):
    """One layer of a model."""

    name: str = Field(description="Name of the layer, or of a cell within it.")
    kind: str = Field(description="Class of the layer.")
    output_shape: list[int | str] = Field(
        description="Shape of the outputs; B stands for the number of samples."
    )
    weights: Count = Field(description="Number of trainable weights.")
    parts: list[LayerSummary] = Field(description="Cells of the layer, if it has several.")


class ModelSummary(Document):
    """The model of a preset.

    Printed by rum presets show --summary --json.
    """

    kind: ClassVar[str] = "presets-show-summary"

    preset: str = Field(description="Name of the preset.")
    layers: list[LayerSummary] = Field(
        min_length=1, description="Layers from the input to the output."
    )
    weights: Count = Field(description="Total number of trainable weights.")
    symbols: Positive | None = Field(
        description="Assumed number of different symbols; null if the task has no text."
    )


class ExampleFile(Document):
    """A file of examples.

    Printed by rum gen-data TASK --out FILE --json for a task whose examples are generated one by
    one, such as copying.
    """

    kind: ClassVar[str] = "gen-data-examples"

    path: str = Field(description="File that was written.")
    format: Literal["npz", "jsonl", "txt"] = Field(description="Format of the file.")
    task: str = Field(description="Name of the task.")
    options: dict[str, Any] = Field(description="Options of the task, by key.")
    split: _Split = Field(description="Split of the examples.")
    seed: Seed = Field(description="Seed of the data.")
    count: Positive = Field(description="Number of examples.")
    bytes: Positive = Field(description="Size of the file, in bytes.")
    sha256: Sha256 = Field(description="SHA-256 of the content, in hexadecimal.")


class BabiFile(Section):
    """A file of one subtask and split."""

    path: str = Field(description="File.")
    subtask: _Subtask = Field(description="Number of the subtask.")
    split: _Split = Field(description="Split of the stories.")
    questions: Positive = Field(description="Number of questions.")
    stories: Positive = Field(description="Number of stories.")
    bytes: Positive = Field(description="Size of the file, in bytes.")
    sha256: Sha256 = Field(description="SHA-256 of the content, in hexadecimal.")


class BabiFiles(Document):
    """Files of bAbI stories.

    Printed by rum gen-data babi --json.
    """

    kind: ClassVar[str] = "gen-data-babi"

    folder: str = Field(description="Directory of the files.")
    seed: Count = Field(description="Seed of the stories.")
    files: list[BabiFile] = Field(min_length=1, description="Files that were written.")


class TextFile(Section):
    """One of the three files of Penn Treebank."""

    path: str = Field(description="File.")
    bytes: Positive = Field(description="Size of the file, in bytes.")
    sha256: Sha256 = Field(description="SHA-256 of the content, in hexadecimal.")
    written: bool = Field(
        description="Whether the file was written now; false if it already existed."
    )


class TextFiles(Document):
    """The files of Penn Treebank.

    Printed by rum gen-data ptb --json.
    """

    kind: ClassVar[str] = "gen-data-ptb"

    folder: str = Field(description="Directory of the files.")
    files: list[TextFile] = Field(
        min_length=3, max_length=3, description="Training, validation and test text."
    )


_PROBLEM = "Reason why 'rum train' rejects the data, in one line; null if it does not."

_OVERLAP = "Fraction of the {unit} that also occur in each earlier split; null if there are none."


class TextSplit(Section):
    """One split of a text."""

    bytes: Positive = Field(description="Size, in bytes.")
    sha256: Sha256 = Field(description="SHA-256 of the bytes, in hexadecimal.")
    symbols: Positive = Field(description="Number of different bytes.")
    entropy: float = Field(description="Entropy of the byte frequencies, in bits per byte.")
    unknown: Count = Field(description="Number of bytes that do not occur in the training split.")
    unknown_symbols: list[int] = Field(description="Distinct values of these bytes, 0 to 255.")
    overlap: dict[str, Share | None] = Field(
        description=_OVERLAP.format(unit="consecutive passages of passage_bytes bytes")
    )


class TextSplits(Section):
    """The splits of a text."""

    train: TextSplit = Field(description="Training split.")
    validation: TextSplit = Field(description="Validation split.")
    test: TextSplit = Field(description="Test split.")


class TextRun(Section):
    """A run on a text."""

    preset: str = Field(description="Preset of the run.")
    classes: Positive = Field(description="Number of classes that the model predicts.")
    unknown_class: bool = Field(description="Whether one class stands for all unknown bytes.")
    batch_size: Positive = Field(description="Number of parallel streams of the text.")
    bptt_steps: Positive = Field(description="Number of time steps of a window.")
    windows_per_epoch: Positive = Field(
        description="Number of training windows of each stream: the training steps of an epoch."
    )
    steps: Positive = Field(description="Number of training steps of the run.")
    epochs: float = Field(description="Number of epochs of the run.")


class TextData(Document):
    """A text and a run on it.

    Printed by rum data TEXT --json.
    """

    kind: ClassVar[str] = "data-text"

    path: str = Field(description="Path of the file or directory, as given.")
    splits: TextSplits = Field(description="Splits.")
    passage_bytes: Positive = Field(description="Size of a passage of overlap, in bytes.")
    penn_treebank: bool = Field(description="Whether the text is Penn Treebank.")
    run: TextRun | None = Field(description="A run with the preset; null if there is a problem.")
    problem: str | None = Field(description=_PROBLEM)


class StorySplit(Section):
    """One split of a subtask."""

    questions: Positive = Field(description="Number of questions.")
    overlap: dict[str, Share | None] = Field(
        description=_OVERLAP.format(unit="questions with their stories")
    )


class StorySplits(Section):
    """The splits of a subtask."""

    train: StorySplit = Field(description="Training split.")
    validation: StorySplit = Field(
        description="Validation split: its own file, or the last tenth of the training file."
    )
    test: StorySplit = Field(description="Test split.")


class SubtaskData(Section):
    """The stories of one subtask."""

    subtask: _Subtask = Field(description="Number of the subtask.")
    name: str = Field(description="Name of the subtask.")
    source: str | None = Field(description="Source of the stories, with the language.")
    splits: StorySplits | None = Field(description="Splits; null if there is a problem.")
    words: Positive | None = Field(description="Number of different words.")
    answers: Positive | None = Field(description="Number of different answers.")
    longest_story: Positive | None = Field(
        description="Maximum number of statements before a question."
    )
    majority: Share | None = Field(
        description="Fraction of the most frequent answer in training: the baseline."
    )
    steps_per_epoch: Positive | None = Field(description="Number of training steps of an epoch.")
    problem: str | None = Field(description=_PROBLEM)


class StoriesData(Document):
    """Files of bAbI and runs on them.

    Printed by rum data STORIES --json.
    """

    kind: ClassVar[str] = "data-babi"

    path: str = Field(description="Path of the archive, directory or file, as given.")
    preset: str = Field(description="Preset of the runs.")
    steps: Positive = Field(description="Number of training steps of each run.")
    batch_size: Positive = Field(description="Number of questions per training step.")
    subtasks: list[SubtaskData] = Field(min_length=1, description="Subtasks by number.")
