"""Conversion of options to the configuration and directory of a run, for the CLI and Python API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rumcli.cli import _options, _trusted_code
from rumcli.errors import ConfigError

if TYPE_CHECKING:
    from rumcli.config import KeyPath, RunConfig

# Keys that may differ when a run is resumed: its length and the path of its data.
_CHANGEABLE = (
    ("train", "steps"),
    ("train", "on_non_finite"),
    ("train", "max_consecutive_skips"),
    ("task", "data"),
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a training run, named as those of `rum train`; None if not given."""

    task: str | None = None
    cell: str | None = None
    norm: float | None = None
    hidden: int | None = None
    data: str | None = None
    subtask: str | None = None
    delay: int | None = None
    steps: int | None = None
    until: str | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int | None = None
    on_non_finite: str | None = None
    preset: str | None = None
    callbacks: Sequence[str] = ()
    set: Sequence[str] = ()
    out: Path | None = None
    resume: Path | None = None
    from_scratch: bool = False

    @property
    def typed(self) -> list[str | None]:
        """Option values that may name custom code."""
        return [self.task, self.cell, *self.callbacks, *self.set]

    def flags(self) -> dict[KeyPath, Any]:
        """Return the values by key path, in the form that `config.loading` expects."""
        return {
            **_trusted_code.flags("task", self.task),
            ("task", "data"): self.data,
            ("task", "subtask"): self.subtask and _options.subtask(self.subtask),
            ("task", "delay"): self.delay,
            **_trusted_code.flags("cell", self.cell),
            ("cell", "units"): self.hidden,
            ("cell", "time_norm"): self.norm,
            ("optimizer", "learning_rate"): self.learning_rate,
            ("train", "steps"): self.steps,
            ("train", "until"): self.until,
            ("train", "batch_size"): self.batch_size,
            ("train", "on_non_finite"): self.on_non_finite,
            ("train", "callbacks"): list(self.callbacks) or None,
            ("seed",): self.seed,
        }


@dataclass(frozen=True)
class PlannedRun:
    """Training run that is ready to start.

    Attributes:
        config: Configuration of the run.
        out: Directory to create; None for the next free number, or for a resumed run.
        resume: Directory of the run to resume; None for a new run.
        from_scratch: Whether a resumed run restarts without its checkpoints and records.
    """

    config: RunConfig
    out: Path | None = None
    resume: Path | None = None
    from_scratch: bool = False

    @property
    def has_all_subtasks(self) -> bool:
        """Whether it trains all bAbI subtasks, with a run for each."""
        return has_all_subtasks(self.config)


def has_all_subtasks(run: RunConfig) -> bool:
    """Return whether a configuration trains all bAbI subtasks, with a run for each."""
    from rumcli.config import ALL, BabiConfig

    return isinstance(run.task, BabiConfig) and run.task.subtask == ALL


def plan(given: Options) -> PlannedRun:
    """Return the run that the options describe, without writing files or importing Keras.

    Args:
        given: Options of the command.

    Raises:
        ConfigError: If an option is invalid, options are incompatible, or the run to resume is
            missing or has a different configuration.
    """
    from rumcli import config
    from rumcli.training.run_dir import RunDir

    out, resume = given.out, given.resume
    if resume is not None:
        if out is not None:
            raise ConfigError(
                "--resume and --out exclude each other: a resumed run stays in its place"
            )
        if (given.task or given.preset) and RunDir.is_unbegun(resume):
            out, resume = resume, None
    elif given.from_scratch:
        raise ConfigError("--from-scratch goes with --resume: which run is to begin again?")
    if resume is not None:
        run = _resumed(resume, given)
    else:
        run = config.build(given.preset, given.set, given.flags())
    return PlannedRun(run, out, resume, given.from_scratch)


def _resumed(path: Path, given: Options) -> RunConfig:
    """Return the configuration of an earlier run; options may only extend it."""
    from rumcli import config
    from rumcli.training.run_dir import RunDir

    name = _trusted_code.flags("task", given.task)["task", "name"]
    if name is not None:
        name = _options.choose("TASK", "task", name, [*_options.tasks(), "custom"])
    before = RunDir.open(path, name).config
    asked = config.build(given.preset or str(path / "config.yaml"), given.set, given.flags())
    changed = [key for key in config.differences(before, asked) if key not in _CHANGEABLE]
    if changed:
        names = ", ".join(".".join(key) for key in changed)
        raise ConfigError(
            f"--resume {path}: the configuration differs in {names}; leave out what changes it, or "
            "start a new run (only train.steps may grow, and --data may name a new location)"
        )
    if asked.train.steps < before.train.steps:
        raise ConfigError(
            f"--steps {asked.train.steps}: the run in {path} has {before.train.steps} steps; "
            "it can only become longer"
        )
    return asked
