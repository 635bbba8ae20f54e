"""Arguments that name or configure runs: trusted code, run directories, and the plan of a new run.

Code named on the command line is trusted; code named in files requires `--trust-code`.
`rumcli.plugins` imports it. The Python API also plans its runs here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from rumcli import errors, output_dirs, plugins
from rumcli.cli import _options
from rumcli.cli._options import FilePath, Option
from rumcli.errors import ConfigError, Metavar, RumError
from rumcli.reporting import console
from rumcli.tasks import registry

if TYPE_CHECKING:
    from rumcli.config import KeyPath, RunConfig

Trust = Annotated[
    bool,
    typer.Option(plugins.TRUST, help="Import custom code that the configuration names."),
]
_KEYS = ("cell.factory", "task.factory", "train.callbacks")
# The only keys of a configuration that select the code it names.
CODE_KEYS = ("cell", "cell.name", "train", *_KEYS)

_CONFIG = "config.yaml"
_RECORDS = "metrics.jsonl"

Code = str | Callable[..., Any]
_ON_NON_FINITE = ["stop", "skip"]
# Keys that may differ when a run is resumed: its length and the path of its data.
_RESUME_CHANGEABLE = (
    ("train", "steps"),
    ("train", "on_non_finite"),
    ("train", "max_consecutive_skips"),
    ("train", "loggers"),
    ("task", "data"),
)


def name_settings(section: str, name: str | None) -> dict[KeyPath, Any]:
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
    typed_paths = {path for text in typed if text for path in _paths_in(text)}
    for path in run.code(training):
        if not trusted and path not in typed_paths:
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
class RunPath:
    """Run directory.

    Attributes:
        path: Path of the directory.
        is_typed: Whether the user named it; else it is in a directory that the user named.
    """

    path: Path
    is_typed: bool


def find_run_dirs(paths: Sequence[Path], parts: bool) -> list[RunPath]:
    """Return the runs in the order in which they are named, without duplicates.

    Args:
        paths: Run directories, or directories of runs such as `runs`, a sweep's or a
            reproduction's.
        parts: Whether to replace a run of all subtasks, which has no records, by its runs.

    Raises:
        ConfigError: If a path cannot be read.
    """
    run_dirs: dict[Path, RunPath] = {}
    for path in paths:
        for run in _expand(path, parts):
            resolved = run.path.resolve()
            if resolved in run_dirs and run.is_typed:
                console.note(f"{path} is named more than once; it is used once")
            run_dirs.setdefault(resolved, run)
    return list(run_dirs.values())


def _expand(path: Path, parts: bool) -> list[RunPath]:
    is_run = output_dirs.exists(path / _CONFIG)
    if is_run and not (parts and not (path / _RECORDS).exists()):
        return [RunPath(path, True)]
    try:
        run_dirs = [inner for inner in path.iterdir() if (inner / _CONFIG).is_file()]
    except OSError:  # reported when it is opened as a run directory
        run_dirs = []
    if not run_dirs:
        return [RunPath(path, True)]
    return [RunPath(inner, False) for inner in sorted(run_dirs, key=_natural)]


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts `run-2` before `run-10`."""
    parts = re.split(r"([0-9]+)", path.name)
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def usable_run_dirs(
    runs: Sequence[RunPath], reasons: dict[Path, str], error: type[RumError]
) -> list[RunPath]:
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


def _path(code: Code) -> str:
    return code if isinstance(code, str) else plugins.path_of(code)


def _paths(codes: Code | Sequence[Code]) -> list[str]:
    items = [codes] if isinstance(codes, str) or callable(codes) else codes
    if not isinstance(items, Sequence):
        raise ConfigError(
            f"callbacks: expected classes or package.module:Class, got an instance of "
            f"{type(codes).__name__}"
        )
    return [_path(code) for code in items]


def _assignments(given: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Return strings in the form of `--set`."""
    if not isinstance(given, Mapping):
        return [given] if isinstance(given, str) else list(given)
    import yaml

    from rumcli.config import yaml_io

    try:
        return [f"{key}={yaml_io.dump(value, one_line=True)}" for key, value in given.items()]
    except yaml.YAMLError as error:
        raise ConfigError(
            f"set {dict(given)!r}: expected values that YAML can represent"
        ) from error


class TrainOptions(TypedDict, total=False):
    """Options of `rum train`, and arguments of `rumcli.train`, that describe the run."""

    task: Annotated[
        Code | None,
        Option(
            kind=str | None,
            typed=typer.Argument(
                metavar="TASK",
                help=f"{', '.join(registry.names())}, or a custom task as package.module:Class. "
                "Optional with --resume or a preset that names it.",
                autocompletion=_options.completing(_options.tasks),
            ),
            doc=f"{', '.join(registry.names())}, a `Task` subclass, or its path "
            "package.module:Class. Optional with --resume or a preset that names it.",
            key=("task", "name"),
            convert=_path,
        ),
    ]
    cell: Annotated[
        Code | None,
        Option(
            kind=str | None,
            typed=typer.Option(
                help="A cell of 'rum cells', such as rum, arum or lstm, or a custom layer as "
                "package.module:Class. Default: the preset's.",
                autocompletion=_options.completing(_options.cells),
            ),
            doc="A name of `rumcli.cells.names()`, such as rum, arum or lstm, a layer class or a "
            "function that returns a layer, or its path. Default: the preset's.",
            key=("cell", "name"),
            convert=_path,
        ),
    ]
    norm: Annotated[
        float | None,
        Option(
            kind=float | None,
            typed=_options.real("Time norm η > 0 of rum and arum. Default: the preset's."),
            key=("cell", "time_norm"),
        ),
    ]
    hidden: Annotated[
        int | None,
        Option(
            kind=int | None,
            typed=_options.integer("Size of the cell's state, in units. Default: the preset's."),
            key=("cell", "units"),
        ),
    ]
    data: Annotated[
        FilePath | None,
        Option(
            kind=str | None,
            typed=typer.Option(
                metavar="PATH",
                help="Text of ptb: a directory with train, valid and test files, or one file to "
                "split 90/5/5. Stories of babi: the official archive or a directory of it; "
                "default: generated. With --resume: their new location.",
            ),
            key=("task", "data"),
            convert=str,
        ),
    ]
    subtask: Annotated[
        int | str | None,
        Option(
            kind=str | None,
            typed=typer.Option(
                metavar="<int>|all",
                help="Number of the bAbI subtask, 1 to 20, or all. Default: the preset's.",
            ),
            key=("task", "subtask"),
            convert=lambda value: _options.subtask(str(value)),
        ),
    ]
    delay: Annotated[
        int | None,
        Option(
            kind=int | None,
            typed=_options.integer(
                "T of copying and recall, in time steps. Default: the preset's."
            ),
            key=("task", "delay"),
        ),
    ]
    group: Annotated[
        str | None,
        Option(
            kind=str | None,
            typed=typer.Option(
                metavar="NAME",
                help="Problem of state_tracking: a group such as S3, A5 or Z60, or parity, cycle, "
                "even_pairs, modular or modular_brackets. Default: the preset's.",
            ),
            key=("task", "problem"),
        ),
    ]
    steps: Annotated[
        int | None,
        Option(
            kind=int | None,
            typed=_options.integer("Length of the run, in training steps. Default: the preset's."),
            key=("train", "steps"),
        ),
    ]
    until: Annotated[
        str | None,
        Option(
            kind=str | None,
            typed=typer.Option(
                metavar="NAME>=NUMBER",
                help="Finish the run at the first validation that meets the threshold, such as "
                "'accuracy>=0.999'; also <=, > and <. Default: the preset's.",
            ),
            key=("train", "until"),
        ),
    ]
    batch_size: Annotated[
        int | None,
        Option(
            kind=int | None,
            typed=_options.integer("Examples per training step. Default: the preset's."),
            key=("train", "batch_size"),
        ),
    ]
    learning_rate: Annotated[
        float | None,
        Option(
            kind=float | None,
            typed=_options.real("Step size of the optimizer. Default: the preset's."),
            key=("optimizer", "learning_rate"),
        ),
    ]
    seed: Annotated[
        int | None,
        Option(
            kind=int | None,
            typed=_options.integer("Seed of data, weights, dropout and zoneout. Default: 1."),
            key=("seed",),
        ),
    ]
    on_non_finite: Annotated[
        str | None,
        Option(
            kind=str | None,
            typed=typer.Option(
                metavar="stop|skip",
                help="Response to a non-finite loss or gradient: stop the run or skip the "
                "step. Default: stop.",
                autocompletion=_options.completing(lambda: _ON_NON_FINITE),
            ),
            key=("train", "on_non_finite"),
        ),
    ]
    callbacks: Annotated[
        Code | Sequence[Code] | None,
        Option(
            kind=list[str] | None,
            typed=typer.Option(
                "--callback",
                metavar="package.module:Class",
                help="A custom Keras callback. May be repeated.",
            ),
            doc="Keras callback classes, or their paths, to construct without arguments.",
            key=("train", "callbacks"),
            convert=_paths,
        ),
    ]
    loggers: Annotated[
        str | Sequence[str] | None,
        Option(
            kind=list[str] | None,
            typed=typer.Option(
                "--logger",
                metavar="NAME",
                help="Also log to tensorboard, csv, mlflow, wandb or trackio. May be repeated. "
                "Default: the preset's.",
                autocompletion=_options.completing(_options.loggers),
            ),
            doc="Experiment loggers, of tensorboard, csv, mlflow, wandb and trackio.",
            key=("train", "loggers"),
            convert=lambda names: [names] if isinstance(names, str) else list(names),
        ),
    ]
    preset: Annotated[
        FilePath | None,
        Option(
            kind=str | None,
            typed=typer.Option(
                help="A preset's name, or a file such as a run's config.yaml. Default: the task's.",
                autocompletion=_options.completing(_options.presets),
            ),
            convert=str,
        ),
    ]
    set: Annotated[
        Mapping[str, Any] | Sequence[str] | None,
        Option(
            kind=list[str] | None,
            typed=typer.Option(
                "--set",
                metavar="KEY.PATH=VALUE",
                help="Set any key of the configuration, as in train.eval_every=50. May be "
                "repeated.",
            ),
            doc='Other keys of the configuration, as in {"train.eval_every": 50}, or strings '
            '"key.path=value".',
            convert=_assignments,
        ),
    ]
    out: Annotated[
        FilePath | None,
        Option(
            kind=Path | None,
            typed=typer.Option(
                help="Run directory to create. Default: runs/TASK-CELL-1, or the next free number."
            ),
            convert=Path,
        ),
    ]
    resume: Annotated[
        FilePath | bool | None,
        Option(
            kind=str | None,
            typed=typer.Option(
                metavar="[PATH]",
                help="Resume the run in this directory exactly. Without PATH: the newest "
                "unfinished run in runs.",
            ),
            doc="Earlier run, or its directory, to continue exactly. True: the newest unfinished "
            "run in runs.",
        ),
    ]
    from_scratch: Annotated[
        bool,
        Option(
            kind=bool,
            typed=typer.Option(
                "--from-scratch",
                help="With --resume: delete the run's checkpoints and records, and restart it.",
            ),
            default=False,
        ),
    ]


def typed(options: TrainOptions) -> list[str]:
    """Return the values of options that may name custom code."""
    given = _options.converted(TrainOptions, options)
    names = [given[name] for name in ("task", "cell") if name in given]
    return [*names, *given.get("callbacks", ()), *given.get("set", ())]


def _settings(options: Mapping[str, Any]) -> tuple[dict[KeyPath, Any], dict[KeyPath, str]]:
    """Return the values of the configuration that the options set, and the options as typed."""
    values: dict[KeyPath, Any] = {}
    spellings: dict[KeyPath, str] = {}
    for name, option in _options.declared(TrainOptions).items():
        if not option.key or name not in options or options[name] == []:
            continue
        value, where = options[name], errors.option(option.spelling(name), options[name], name)
        assigned = {option.key: value}
        if option.key[1:] == ("name",):
            assigned = name_settings(option.key[0], value)
        values |= assigned
        spellings |= dict.fromkeys(assigned, where)
    return values, spellings


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
        """Whether it trains all subtasks of a task, with a run for each."""
        return bool(self.config.task.subtasks)


def plan_run(options: TrainOptions, note: Callable[[str], None] = lambda text: None) -> PlannedRun:
    """Return the run that the options describe, without writing files or importing Keras.

    Args:
        options: Options of the command, or arguments of the function.
        note: Callback for the directory of the run to resume, if none was named.

    Raises:
        ConfigError: If an option is invalid, options are incompatible, or the run to resume is
            missing or has a different configuration.
    """
    from rumcli import config
    from rumcli.training.run_dir import RunDir

    given = _options.converted(TrainOptions, options)
    out, resume, from_scratch = given.get("out"), _run_to_resume(given, note), given["from_scratch"]
    if resume is not None:
        if out is not None:
            raise ConfigError(
                f"{errors.option('--resume')} and {errors.option('--out')} are mutually exclusive: "
                "a resumed run keeps its directory"
            )
        if ("task" in given or "preset" in given) and RunDir.is_not_started(resume):
            out, resume = resume, None
    elif from_scratch:
        raise ConfigError(
            f"{errors.option('--from-scratch', True)} requires {errors.option('--resume')}, the "
            "run to restart"
        )
    if resume is not None:
        run = _resumed(resume, given)
    else:
        run = config.build(given.get("preset"), given.get("set", ()), *_settings(given))
    return PlannedRun(run, out, resume, from_scratch)


def _run_to_resume(options: Mapping[str, Any], note: Callable[[str], None]) -> Path | None:
    """Return the directory of the run to resume; None for a new run.

    Args:
        options: Options of the command, or arguments of the function.
        note: Callback for the directory, if none was named.

    Raises:
        ConfigError: If none was named, and there is no unfinished run.
    """
    resume = options.get("resume")
    if resume is None or resume is False:
        return None
    if resume is not True and resume != _options.NO_VALUE:
        return Path(resume)
    from rumcli.analysis import comparison
    from rumcli.training.run_dir import RUNS

    newest = comparison.newest_unfinished(RUNS)
    if newest is None:
        example = errors.option("--resume", Metavar("PATH"))
        raise ConfigError(
            f"{errors.option('--resume')}: there is no unfinished run in '{RUNS}' that no "
            f"process is training; expected the directory of a run, as in {example}"
        )
    note(f"resuming {newest}, the newest unfinished run in '{RUNS}'")
    return newest


def _resumed(path: Path, given: Mapping[str, Any]) -> RunConfig:
    """Return the configuration of an earlier run; options may only extend it."""
    from rumcli import config
    from rumcli.training.run_dir import RunDir

    name = name_settings("task", given.get("task"))["task", "name"]
    if name is not None:
        name = _options.choose("TASK", "task", name, [*_options.tasks(), "custom"])
    earlier = RunDir.open(path, name).config
    preset = given.get("preset") or str(path / "config.yaml")
    updated = config.build(preset, given.get("set", ()), *_settings(given))
    changed = [key for key in config.differences(earlier, updated) if key not in _RESUME_CHANGEABLE]
    if changed:
        names = ", ".join(".".join(key) for key in changed)
        raise ConfigError(
            f"{errors.option('--resume', path)}: the configuration differs in {names}; omit "
            f"these settings, or start a new run (only train.steps may grow, and "
            f"{errors.option('--data')} may name a new location)"
        )
    if updated.train.steps < earlier.train.steps:
        raise ConfigError(
            f"train.steps: expected at least {earlier.train.steps}, the length of the run in "
            f"{path}, got {updated.train.steps}"
        )
    return updated
