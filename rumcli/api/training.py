"""Training from Python."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rumcli import plugins
from rumcli.api.run import Run, RunPath
from rumcli.cli import _planning, _train_single, _trusted_code
from rumcli.cli._output_mode import OutputMode
from rumcli.config import yaml_io
from rumcli.errors import ConfigError
from rumcli.reporting import console
from rumcli.training import requirements


def train(
    task: str | Callable[..., Any] | None = None,
    *,
    cell: str | Callable[..., Any] | None = None,
    norm: float | None = None,
    hidden: int | None = None,
    data: RunPath | None = None,
    subtask: int | str | None = None,
    delay: int | None = None,
    steps: int | None = None,
    until: str | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    seed: int | None = None,
    on_non_finite: str | None = None,
    preset: RunPath | None = None,
    callbacks: str | Callable[..., Any] | Sequence[str | Callable[..., Any]] = (),
    set: Mapping[str, Any] | Sequence[str] = (),
    out: RunPath | None = None,
    resume: Run | RunPath | None = None,
    from_scratch: bool = False,
    require: str | Sequence[str] = (),
    trust_code: bool = False,
    quiet: bool = False,
) -> Run:
    """Train a cell on a task, as `rum train` does, and return the run.

    Arguments have the names and defaults of the options of `rum train`. None means that the option
    is not given. Progress is printed to stderr.

    An interrupt (Ctrl-C, or a notebook's stop button) saves the run after the current step. Python
    handles signals only in the main thread, so a run in another thread cannot be interrupted.

    Args:
        task: copying, recall, babi, ptb, a `Task` subclass, or its path `package.module:Class`. May
            be omitted with `resume` or a preset that names it.
        cell: rum, arum, lnlstm, fsrnn, eunn, goru, lstm, gru, rnn, a layer class or a function that
            returns a layer, or its path.
        norm: Time norm η > 0 of rum and arum.
        hidden: Size of the cell's state, in units.
        data: Text of ptb or stories of babi: a file or directory.
        subtask: Number of the bAbI subtask, 1 to 20, or `"all"`.
        delay: T of copying and recall, in time steps.
        steps: Length of the run, in training steps.
        until: Validation threshold that ends the run, as in `"accuracy>=0.999"`.
        batch_size: Examples per training step.
        learning_rate: Step size of the optimizer.
        seed: Seed of data, weights, dropout and zoneout.
        on_non_finite: `"stop"` the run or `"skip"` the step when loss or gradient is not finite.
        preset: Name of a preset, or a file such as a run's `config.yaml`.
        callbacks: Keras callback classes, or their paths, to construct without arguments.
        set: Other keys of the configuration, as in `{"train.eval_every": 50}`, or strings
            `"key.path=value"` as for `--set`.
        out: Run directory to create; None: `runs/TASK-CELL-1`, or the next free number.
        resume: Earlier run, or its directory, to continue exactly.
        from_scratch: With `resume`: whether to delete the run's checkpoints and records first.
        require: Thresholds such as `"accuracy>=0.95"` on the summary.
        trust_code: Whether to run the code that a preset or an earlier run names, if any. Code in
            an argument is always trusted.
        quiet: Whether to print warnings only.

    Returns:
        The finished run.

    Raises:
        ConfigError: If an argument or the data is invalid; the message names the option.
        RunError: If the run fails, or does not meet a threshold of `require`.
        KeyboardInterrupt: If the run was interrupted. It is saved, and the message contains the
            call that resumes it.

    Example:
        >>> run = rumcli.train("recall", cell="arum", delay=30, steps=500)
        >>> run.summary["accuracy"]
    """
    given = _planning.Options(
        task=_code(task),
        cell=_code(cell),
        norm=norm,
        hidden=hidden,
        data=None if data is None else str(data),
        subtask=None if subtask is None else str(subtask),
        delay=delay,
        steps=steps,
        until=until,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        on_non_finite=on_non_finite,
        preset=None if preset is None else str(preset),
        callbacks=_codes(callbacks),
        set=_assignments(set),
        out=None if out is None else Path(out),
        resume=_run_dir(resume),
        from_scratch=from_scratch,
    )
    required = requirements.parse([require] if isinstance(require, str) else require)
    planned = _planning.plan(given)
    trusts = trust_code or (isinstance(resume, Run) and resume.trusts_code)
    _trusted_code.check(planned.config, trusts, given.typed)
    showing = OutputMode(as_json=False, quiet=quiet, debug=False)
    try:
        finished = _train_single.execute(planned, required, showing)
    except _train_single.Stopped as stopped:
        if stopped.signal != signal.SIGINT:  # a request to end the process
            console.note(stopped.message)
            raise
        call = f"rumcli.train(resume={str(stopped.path)!r})"
        raise KeyboardInterrupt(f"{stopped.message}, or in Python: {call}") from None
    requirements.enforce(requirements.with_verdicts(required, finished.summary))
    return Run(finished.folder, trust_code=True)


def _run_dir(given: Run | RunPath | None) -> Path | None:
    if isinstance(given, Run):
        return given.path
    return None if given is None else Path(given)


def _code(given: str | Callable[..., Any] | None) -> str | None:
    return given if given is None or isinstance(given, str) else plugins.path_of(given)


def _codes(given: str | Callable[..., Any] | Sequence[str | Callable[..., Any]]) -> list[str]:
    one_each = [given] if isinstance(given, str) or callable(given) else given
    if not isinstance(one_each, Sequence):
        raise ConfigError(
            f"callbacks: expected classes or package.module:Class, got an instance of "
            f"{type(given).__name__}"
        )
    return [path for path in map(_code, one_each) if path is not None]


def _assignments(given: Mapping[str, Any] | Sequence[str]) -> list[str]:
    """Return strings in the form of `--set`."""
    if not isinstance(given, Mapping):
        return [given] if isinstance(given, str) else list(given)
    try:
        return [f"{key}={yaml_io.dump(value, one_line=True)}" for key, value in given.items()]
    except yaml.YAMLError as error:
        raise ConfigError(f"set {dict(given)!r}: expected values that YAML has") from error
