"""Documents of configurations: `rum presets` and `rum train --dry-run`."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import ConfigDict, Field

from rumcli.json_schemas.base import Absent, Count, Document, Positive, Section, Seed

_SEED = "Seed of data, weights, dropout and zoneout."
_PRECISION = "Precision of the computation, as in float32."


class PresetRow(Section):
    """One preset of a list."""

    name: str = Field(description="The value that --preset takes.")
    task: str = Field(description="The task's name.")
    description: str = Field(description="A description in one sentence.")


class PresetList(Document):
    """The presets.

    Printed by rum presets list --json.
    """

    kind: ClassVar[str] = "presets-list"

    presets: list[PresetRow] = Field(description="The presets by name.")


class Named(Section):
    """A section of a configuration whose name determines its other keys."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(description="The name; it determines the other keys.")


class Configuration(Section):
    """All sections of a configuration."""

    task: Named = Field(description="The task and its data.")
    cell: Named = Field(description="The cell and its options.")
    model: dict[str, Any] = Field(description="The layers around the cell.")
    optimizer: Named = Field(description="The optimizer and its options.")
    train: dict[str, Any] = Field(description="Duration, evaluation and checkpoints, in steps.")
    seed: Seed = Field(description=_SEED)
    precision: str = Field(description=_PRECISION)


class DryRun(Document):
    """A complete configuration.

    Printed by rum train --dry-run --json; docs/configuration.md describes every key of the
    sections.
    """

    kind: ClassVar[str] = "train-dry-run"

    config: Configuration = Field(description="Every setting of the run, as in config.yaml.")


class PresetSettings(Section):
    """The sections of a preset."""

    description: str | Absent = Field(None, description="A description in one sentence.")
    task: Named = Field(description="The task and its data.")
    cell: Named | Absent = Field(None, description="The cell and its options.")
    model: dict[str, Any] | Absent = Field(None, description="The layers around the cell.")
    optimizer: Named | Absent = Field(None, description="The optimizer and its options.")
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

    preset: str = Field(description="Its name, or the run directory or file.")
    config: PresetSettings = Field(
        description="The content of its YAML file; all other settings have their defaults."
    )


class PresetCopy(Document):
    """The copy of a preset.

    Printed by rum presets copy --json.
    """

    kind: ClassVar[str] = "presets-copy"

    preset: str = Field(description="Its name.")
    path: str = Field(description="The file that was written.")


class OptionRow(Section):
    """One option of a cell or a task."""

    name: str = Field(description="Its name, a key of the section.")
    default: Any = Field(description="Its default, before any preset.")
    values: str = Field(description="The values that it accepts, in words.")
    description: str | None = Field(description="Its meaning; null if the name says it.")


class _Registered(Section):
    name: str = Field(description="Its name in configurations and on the command line.")
    description: str = Field(description="A description in one sentence.")
    source: str = Field(description="The paper.")
    options: list[OptionRow] = Field(description="Its options, keys of its section.")


class CellRow(_Registered):
    """One cell of a list."""


class CellList(Document):
    """The cells.

    Printed by rum cells --json.
    """

    kind: ClassVar[str] = "cells"

    cells: list[CellRow] = Field(min_length=1, description="The cells, RUM first.")


class TaskRow(_Registered):
    """One task of a list."""

    metrics: list[str] = Field(description="The metrics of a test.")
    presets: list[str] = Field(description="The presets for it.")


class TaskList(Document):
    """The tasks.

    Printed by rum tasks --json.
    """

    kind: ClassVar[str] = "tasks"

    tasks: list[TaskRow] = Field(min_length=1, description="The tasks.")


class LayerSummary(Section):
    """One layer of a model."""

    name: str = Field(description="Its name in the model; of a cell in a layer, its own.")
    kind: str = Field(description="Its class.")
    output_shape: list[int | str] = Field(
        description="Shape of its outputs; B stands for the number of samples."
    )
    weights: Count = Field(description="Number of its trainable weights.")
    parts: list[LayerSummary] = Field(description="Its cells, if it is made of several.")


class ModelSummary(Document):
    """The model of a preset.

    Printed by rum presets show --summary --json.
    """

    kind: ClassVar[str] = "presets-show-summary"

    preset: str = Field(description="Its name.")
    layers: list[LayerSummary] = Field(
        min_length=1, description="The layers from the input to the output."
    )
    weights: Count = Field(description="Number of all trainable weights.")
    symbols: Positive | None = Field(
        description="Number of different symbols assumed; null if the task has no text."
    )
