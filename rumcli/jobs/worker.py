"""Training of one run in its own process, under either executor."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rumcli.config import RunConfig, Split
from rumcli.errors import RumError, RunError
from rumcli.jobs.job_spec import FAILED, FINISHED, SAVE_AND_TEST, UNFINISHED, RunProgress, RunResult
from rumcli.signals import StopRequest
from rumcli.training import resume
from rumcli.training.listeners import Listener, RunInfo
from rumcli.training.run_dir import RunDir

Start = Callable[[RunConfig], None]  # imports dependencies, such as Keras; picklable
Control = Callable[[], str]  # returns SAVE or SAVE_AND_TEST to stop the run, else ""

# The lock of a machine that died expires after a minute; see `training.lock`.
_PATIENCE = 90.0  # seconds
_RETRY_SECONDS = 1.0
_POLL_SECONDS = 0.25  # seconds between two calls of the control
_REPORT_SECONDS = 1.0  # seconds between two reports of the progress
# Variables that affect the computation and are not part of the configuration.
_INHERITED = ("KERAS_BACKEND", "JAX_ENABLE_X64")
_CUDA_DEVICES = "CUDA_VISIBLE_DEVICES"
# Allocate GPU memory on demand; values set by the user take precedence.
_ON_DEMAND_MEMORY = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def environment() -> dict[str, str]:
    """Return the environment variables that the runs inherit from this process.

    The processes of a cluster have the environment of `ray start`.
    """
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def gpu_environment(gpus: float | None, names: Sequence[str] | None = None) -> dict[str, str]:
    """Return the environment variables that select the GPUs of a run and limit its memory.

    By default, TensorFlow and JAX allocate nearly all memory of a GPU at once.

    Args:
        gpus: Number of GPUs of the run; a fraction shares one GPU, 0 hides all, None shares all
            with the other runs.
        names: GPUs of the run; None for all visible GPUs.
    """
    if gpus == 0:
        return {_CUDA_DEVICES: ""}
    variables = {} if names is None else {_CUDA_DEVICES: ",".join(names)}
    return variables if gpus is not None and gpus >= 1 else {**variables, **_ON_DEMAND_MEMORY}


def prepare(cores: int, variables: Mapping[str, str]) -> None:
    """Set the environment variables and CPU cores of this process, before Keras is imported."""
    for variable, value in variables.items():
        if variable not in _ON_DEMAND_MEMORY or variable not in os.environ:
            os.environ[variable] = value
    for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = str(cores)


def train(
    run_dir: RunDir,
    start: Start,
    control: Control,
    report: Callable[[RunProgress], None],
    debug: bool = False,
) -> RunResult:
    """Train a run from its last checkpoint until it is finished or stopped.

    Args:
        run_dir: Directory of the run.
        start: Imports the dependencies of the run.
        control: Returns the stop request; see `Control`.
        report: Receives each evaluation, and about once per second the progress.
        debug: Whether to print the traceback of an unexpected error.

    Returns:
        The result, also for a failed run.
    """
    request = _Request(control)
    try:
        return _train(run_dir, start, request, report)
    except RumError as error:
        return RunResult(FAILED, str(error))
    except Exception as error:
        if debug:
            traceback.print_exc()
        line = " ".join(str(error).split())[:300]
        return RunResult(FAILED, f"{type(error).__name__}: {line}")


def _train(
    run_dir: RunDir, start: Start, request: _Request, report: Callable[[RunProgress], None]
) -> RunResult:
    with held(run_dir, request.is_requested):
        run = run_dir.config
        if run_dir.finished(run):
            return RunResult(FINISHED)
        if request.is_requested():
            return RunResult(UNFINISHED)
        resume.check(run_dir)
        start(run)
        from rumcli.training.callback import RunStopped
        from rumcli.training.trainer import train as train_run

        try:
            train_run(run, run_dir, _Reporter(request, report), request)
        except RunStopped:
            pass
        else:
            return RunResult(FINISHED)
    request.is_requested()  # may have become urgent during the training
    metrics = _test(run_dir) if request.how == SAVE_AND_TEST else None
    saved, _ = run_dir.checkpoints.load_newest()
    step, seconds = (saved.step, saved.progress["seconds"]) if saved else (0, 0.0)
    return RunResult(UNFINISHED, "", metrics, step, seconds)


def _test(run_dir: RunDir) -> dict[str, Any] | None:
    """Test the best weights, or the last ones of a run without a validation."""
    from rumcli.training.evaluation import evaluate_run

    which = "best" if run_dir.checkpoints.load_best() is not None else "last"
    if which == "last" and not run_dir.checkpoints.numbered():
        return None
    return evaluate_run(run_dir, Split.TEST, which)


class _Request(StopRequest):
    """Stop request that polls a control."""

    def __init__(self, control: Control) -> None:
        super().__init__()
        self.how = ""
        self._control = control
        self._polled = 0.0

    def is_requested(self, between: float = 0.0) -> bool:
        """Return whether to stop; poll the control at most every `between` seconds."""
        if time.monotonic() - self._polled >= between:
            self._polled = time.monotonic()
            self.how = self._control() or self.how
            if self.how:
                self.signal = signal.SIGTERM
        return bool(self.how)


class _Reporter(Listener):
    """Listener that reports the progress of a run, and polls for stop requests after steps."""

    def __init__(self, request: _Request, report: Callable[[RunProgress], None]) -> None:
        self._request = request
        self._report = report
        self._plan: RunInfo | None = None
        self._reported = 0.0

    def started(self, plan: RunInfo) -> None:
        self._plan = plan
        self._send(plan.first_step, None)
        self._request.is_requested()

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        if time.monotonic() - self._reported >= _REPORT_SECONDS:
            self._send(step, None)
        self._request.is_requested(_POLL_SECONDS)

    def evaluated(self, record: dict[str, Any]) -> None:
        assert self._plan is not None
        self._send(record["step"], record[f"val_{self._plan.monitor}"])
        self._request.is_requested()

    def warned(self, message: str) -> None:
        self._request.is_requested(_POLL_SECONDS)  # a skipped step calls nothing else

    def _send(self, step: int, value: float | None) -> None:
        assert self._plan is not None
        plan, self._reported = self._plan, time.monotonic()
        higher = plan.baseline.target > plan.baseline.value
        self._report(RunProgress(step, plan.steps, plan.monitor, value, higher))


@contextlib.contextmanager
def held(run_dir: RunDir, is_stopped: Callable[[], bool]) -> Iterator[None]:
    """Lock a run directory, after waiting for its previous process to exit.

    Args:
        run_dir: Run directory.
        is_stopped: Returns whether a stop is requested, which ends the wait.

    Raises:
        RunError: If another process still holds the lock.
    """
    give_up = time.monotonic() + _PATIENCE
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(run_dir.held())
                break
            except RunError:
                if time.monotonic() > give_up or is_stopped():
                    raise
                time.sleep(_RETRY_SECONDS)
        yield
