"""Arguments that name or configure runs: trusted code, run directories, and the plan of a new run.

Code named on the command line runs; code named in files requires trust. `rumcli.plugins` imports
it. The Python API plans its runs here, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli import output_dirs, plugins
from rumcli.cli import _options
from rumcli.errors import ConfigError, RumError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.config import KeyPath, RunConfig

Trust = Annotated[
    bool,
    typer.Option(plugins.TRUST, help="Import custom code that the configuration names."),
]
_KEYS = ("cell.factory", "task.factory", "train.callbacks")
# The only keys of a configuration that select the code it names.
DECIDING = ("cell", "cell.name", "train", *_KEYS)

_CONFIG = "config.yaml"
_RECORDS = "metrics.jsonl"

# Keys that may differ when a run is resumed: its length, and those that do not affect its steps.
_CHANGEABLE = (
    ("train", "steps"),
    ("train", "on_non_finite"),
    ("train", "max_consecutive_skips"),
    ("train", "loggers"),
    ("task", "data"),
)


def trust_flags(section: str, name: str | None) -> dict[KeyPath, Any]:
    """Return the settings for the name of a cell or task: a registered name or a custom factory."""
    if name is None or ":" not in name:
        return {(section, "name"): name}
    return {(section, "name"): "custom", (section, "factory"): name}


def check_trust(
    run: RunConfig, trusted: bool, typed: Iterable[str | None] = (), training: bool = True
) -> None:
    """Check that all custom code of a run exists and is either typed or trusted.

    The check does not import the code.

    Args:
        run: Configuration of the run.
        trusted: Whether the user trusts all code named in the configuration.
        typed: Arguments of the command line: the code itself, or a setting such as
            `cell.factory=CODE`.
        training: Whether the run is trained, and thus needs its callbacks.

    Raises:
        ConfigError: If code is neither typed nor trusted, or does not exist.
    """
    known = {path for text in typed if text for path in _paths_in(text)}
    for path in run.code(training):
        if not trusted and path not in known:
            raise ConfigError(plugins.refusal(path))
        plugins.require(path)


def load_trusted(run: RunConfig, training: bool = True) -> None:
    """Import the custom code of a run, after Keras and after `check_trust`.

    Args:
        run: Configuration of the run.
        training: As for `check_trust`.

    Raises:
        ConfigError: If the code cannot be imported.
    """
    for path in run.code(training):
        plugins.load_trusted(path)


def _paths_in(text: str) -> list[str]:
    key, equals, value = text.partition("=")
    return plugins.paths_in(value) if equals and key.strip() in _KEYS else [text]


@dataclass(frozen=True)
class Named:
    """Run directory.

    Attributes:
        path: Path of the directory.
        is_typed: Whether the user named it; else it was found in a directory that the user named.
    """

    path: Path
    is_typed: bool


def find_run_dirs(paths: Sequence[Path], parts: bool) -> list[Named]:
    """Return the runs in the order in which they are named, without duplicates.

    Args:
        paths: Run directories, or directories of runs such as `runs`, a sweep's or a
            reproduction's.
        parts: Whether to replace a run of all subtasks, which has no records, by its runs.

    Raises:
        ConfigError: If a path cannot be read.
    """
    found: dict[Path, Named] = {}
    for path in paths:
        for one in _expand(path, parts):
            place = one.path.resolve()
            if place in found and one.is_typed:
                console.note(f"{path} was named before; it is taken once")
            found.setdefault(place, one)
    return list(found.values())


def _expand(path: Path, parts: bool) -> list[Named]:
    is_run = output_dirs.exists(path / _CONFIG)
    if is_run and not (parts and not (path / _RECORDS).exists()):
        return [Named(path, True)]
    try:
        inside = [inner for inner in path.iterdir() if (inner / _CONFIG).is_file()]
    except OSError:  # reported when it is opened as a run directory
        inside = []
    if not inside:
        return [Named(path, True)]
    return [Named(inner, False) for inner in sorted(inside, key=_natural)]


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts `run-2` before `run-10`."""
    parts = re.split(r"([0-9]+)", path.name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def usable_run_dirs(
    runs: Sequence[Named], reasons: dict[Path, str], error: type[RumError]
) -> list[Named]:
    """Filter out unusable runs.

    Args:
        runs: Run directories to filter.
        reasons: Reason for each unusable run, by its path.
        error: Type of the error to raise with the reason.

    Returns:
        The usable runs.

    Raises:
        RumError: If the user named an unusable run, or no usable run is left.
    """
    for run in runs:
        if run.path in reasons and (run.is_typed or len(reasons) == len(runs)):
            raise error(reasons[run.path])
    for reason in reasons.values():
        console.note(f"left out: {reason}")
    return [run for run in runs if run.path not in reasons]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
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
    loggers: Sequence[str] = ()
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
            **trust_flags("task", self.task),
            ("task", "data"): self.data,
            ("task", "subtask"): self.subtask and _options.subtask(self.subtask),
            ("task", "delay"): self.delay,
            **trust_flags("cell", self.cell),
            ("cell", "units"): self.hidden,
            ("cell", "time_norm"): self.norm,
            ("optimizer", "learning_rate"): self.learning_rate,
            ("train", "steps"): self.steps,
            ("train", "until"): self.until,
            ("train", "batch_size"): self.batch_size,
            ("train", "on_non_finite"): self.on_non_finite,
            ("train", "callbacks"): list(self.callbacks) or None,
            ("train", "loggers"): list(self.loggers) or None,
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


def plan_run(given: RunOptions) -> PlannedRun:
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


def _resumed(path: Path, given: RunOptions) -> RunConfig:
    """Return the configuration of an earlier run; options may only extend it."""
    from rumcli import config
    from rumcli.training.run_dir import RunDir

    name = trust_flags("task", given.task)["task", "name"]
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
