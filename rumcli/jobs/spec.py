"""The keys and checks that the YAML files of all sets of runs share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from rumcli import config
from rumcli.config import RunConfig, validation
from rumcli.config.field_types import Section
from rumcli.config.yaml_io import Document, KeyPath
from rumcli.errors import ConfigError

MAX_RUNS = 10_000

Settings = dict[str, Any]  # values by key path


@dataclass(frozen=True)
class Resources:
    """The resources of each run.

    Attributes:
        cores: Number of cores; None: those of this machine are divided, on a cluster one.
        gpus: Number of GPUs; None: the runs share all of this machine, on a cluster none.
        retries: How often a run whose process or machine died is started again.
    """

    cores: int | None = None
    gpus: float | None = None
    retries: int = 3


class JobSetSpec(Section):
    """The keys of every set, documented in docs/sweeps.md."""

    preset: str | None = None
    task: str | None = None
    set: Settings = Field(default_factory=dict)
    cores_per_run: Annotated[int, Field(ge=1, le=10_000)] | None = None
    gpus_per_run: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] | None = None
    retries: Annotated[int, Field(ge=0, le=1000)] = 3

    @property
    def resources(self) -> Resources:
        """The resources of each run."""
        return Resources(self.cores_per_run, self.gpus_per_run, self.retries)


def base_config(document: Document, task: str | None, preset: str | None) -> RunConfig:
    """Return the configuration that the settings of a file change.

    Raises:
        ConfigError: If the file names neither a task nor a preset, or one that is unknown.
    """
    if task is None and preset is None:
        raise ConfigError(f"{document.source}: expected 'preset' or 'task', as in 'task: copying'")
    try:
        return config.build(preset, (), {("task", "name"): task})
    except ConfigError as error:
        raise ConfigError(f"{document.source}: {error}") from error


def check_settings(document: Document, place: KeyPath, settings: Mapping[str, Any]) -> None:
    """Check the keys of a section of key paths.

    Args:
        document: The file.
        place: Place of the section in it.
        settings: The section.

    Raises:
        ConfigError: If a key is not a path, has a key of its own in the file, or is inside another.
    """
    for key in settings:
        validation.check_key(document, place, key)
    validation.check_apart(document, place, settings)


def changed(
    base: RunConfig, document: Document, *sections: tuple[KeyPath, Mapping[str, Any]]
) -> RunConfig:
    """Return the configuration of a run.

    Args:
        base: The configuration that the settings change.
        document: The file.
        sections: Places of sections in it, and the sections; a later one is the stronger.

    Raises:
        ConfigError: If a setting is invalid, alone or beside the others.
    """
    run = config.changed(base, validation.layer(document, *sections))
    if getattr(run.task, "subtask", None) == config.ALL:
        raise ConfigError(
            f"{document.source}: task.subtask: a run can't have all; list the numbers"
        )
    return run
