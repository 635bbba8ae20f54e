"""Keys and checks common to the YAML files of all sets of runs."""

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
    """Resources of each run.

    Attributes:
        cores: Number of cores; None divides the cores of this machine, and requests one on a
            cluster.
        gpus: Number of GPUs; None shares all GPUs of this machine, and requests none on a cluster.
        retries: Maximum number of restarts of a run after its process or machine died.
    """

    cores: int | None = None
    gpus: float | None = None
    retries: int = 3


class JobSetSpec(Section):
    """Keys common to all sets, documented in docs/sweeps.md."""

    preset: str | None = None
    task: str | None = None
    set: Settings = Field(default_factory=dict)
    cores_per_run: Annotated[int, Field(ge=1, le=10_000)] | None = None
    gpus_per_run: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] | None = None
    retries: Annotated[int, Field(ge=0, le=1000)] = 3

    @property
    def resources(self) -> Resources:
        """Resources of each run."""
        return Resources(self.cores_per_run, self.gpus_per_run, self.retries)


def base_config(document: Document, task: str | None, preset: str | None) -> RunConfig:
    """Return the base configuration, to which the settings of a file are applied.

    Raises:
        ConfigError: If the file names neither a task nor a preset, or an unknown one.
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
        document: File that contains the section.
        place: Path of the section in the file.
        settings: Content of the section.

    Raises:
        ConfigError: If a key is not a key path, is set by a separate key of the file, or overlaps
            another key.
    """
    for key in settings:
        validation.check_key(document, place, key)
    validation.check_apart(document, place, settings)


def changed(
    base: RunConfig, document: Document, *sections: tuple[KeyPath, Mapping[str, Any]]
) -> RunConfig:
    """Return the configuration of a run.

    Args:
        base: Base configuration.
        document: File that contains the sections.
        sections: Sections with their paths in the file; later ones take precedence.

    Raises:
        ConfigError: If a setting is invalid, or incompatible with others.
    """
    run = config.changed(base, validation.layer(document, *sections))
    if getattr(run.task, "subtask", None) == config.ALL:
        raise ConfigError(
            f"{document.source}: task.subtask: a run can't have all; list the numbers"
        )
    return run
