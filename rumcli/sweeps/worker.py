"""One run of a sweep, trained in a thread, so that its process can hear of a stop meanwhile.

No Ray here: `trial` tells Ray what this tells.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rumcli.config import RunConfig
from rumcli.errors import RumError, RunError
from rumcli.sweeps.folder import FAILED
from rumcli.sweeps.listener import Standing
from rumcli.sweeps.results import FINISHED, UNFINISHED
from rumcli.training import resume
from rumcli.training.listener import Listener, Plan
from rumcli.training.run_folder import RunFolder
from rumcli.training.stopping import StopRequest

# The lock of a machine that died is given up after a minute; see `training.lock`.
_PATIENCE = 90.0  # seconds
_BETWEEN_TRIES = 1.0
# What decides how a run computes, and is no part of its configuration.
_PASSED_ON = ("KERAS_BACKEND", "JAX_ENABLE_X64")


def environment() -> dict[str, str]:
    """Return what the runs take over from the environment of the sweep's own process.

    The processes of a cluster have that of whoever started the cluster.
    """
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def take_over(environment: Mapping[str, str]) -> None:
    """Let Keras, once it is imported, find what `environment` returned elsewhere."""
    os.environ.update({name: environment[name] for name in _PASSED_ON if name in environment})


def limit_threads(cores: int) -> None:
    """Let TensorFlow, once it is imported, and other libraries use so many cores."""
    for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = str(cores)


def limit_gpus(gpus: float) -> None:
    """Hide the GPUs from a run that is to have none; take of a shared one only what is needed.

    Without a limit TensorFlow and JAX take nearly all memory of a GPU at once.

    Args:
        gpus: That the run has; below 1, others are on the same one. Which one it is is not
            decided here.
    """
    if gpus == 0:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif gpus < 1:
        share_gpus()


def share_gpus() -> None:
    """Let TensorFlow or JAX, once it is imported, take GPU memory as it is needed."""
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


@dataclass(frozen=True)
class End:
    """How a run ended.

    Attributes:
        state: `FINISHED`, `FAILED`, or `UNFINISHED` if it was asked to stop; all is saved then.
        message: Of a failure.
    """

    state: str
    message: str = ""


class Training:
    """A run under way.

    Args:
        folder: Where; goes on from what is there.
        start: Brings up what the run needs, such as Keras.
    """

    def __init__(self, folder: RunFolder, start: Callable[[RunConfig], None]) -> None:
        self._folder = folder
        self._start = start
        self._request = StopRequest()
        self._reporter = _Reporter()
        self._crash: BaseException | None = None
        # A daemon: a process that Ray ends must not wait for a step.
        self._thread = threading.Thread(target=self._run, name="training", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask for a stop after the step that is under way."""
        self._request.signal = signal.SIGTERM

    def join(self) -> None:
        """Wait for the end."""
        self._thread.join()

    def news(self, seconds: float) -> Standing | End | None:
        """Wait for the next evaluation, or the end; None if nothing comes.

        Raises:
            Exception: What ended the run, if it was neither its own failure nor a stop.
        """
        try:
            found = self._reporter.news.get(timeout=seconds)
        except queue.Empty:
            return None
        if self._crash is not None and isinstance(found, End):
            raise self._crash
        return found

    @property
    def standing(self) -> Standing | None:
        """How far it is; None before it knows what it does."""
        return self._reporter.standing(None)

    def _run(self) -> None:
        end = End(FAILED)
        try:
            end = self._train()
        except RumError as error:
            end = End(FAILED, str(error))
        except BaseException as error:  # of a thread it would be lost
            self._crash = error
        self._reporter.news.put(end)

    def _train(self) -> End:
        with held(self._folder, self._request):
            run = self._folder.config
            if self._folder.finished(run):
                return End(FINISHED)
            if self._request.signal is not None:
                return End(UNFINISHED)
            resume.check(self._folder)
            self._start(run)
            from rumcli.training.callback import RunStopped
            from rumcli.training.trainer import train

            try:
                train(run, self._folder, self._reporter, self._request)
            except RunStopped:
                return End(UNFINISHED)
            return End(FINISHED)


class _Reporter(Listener):
    """Keeps what a run tells until somebody asks."""

    def __init__(self) -> None:
        self.news: queue.SimpleQueue[Standing | End] = queue.SimpleQueue()
        self._plan: Plan | None = None
        self._step = 0

    def started(self, plan: Plan) -> None:
        self._plan, self._step = plan, plan.first_step

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        self._step = step

    def evaluated(self, record: dict[str, Any]) -> None:
        assert self._plan is not None
        self._step = record["step"]
        standing = self.standing(record[f"val_{self._plan.monitor}"])
        assert standing is not None
        self.news.put(standing)

    def standing(self, value: float | None) -> Standing | None:
        plan = self._plan
        if plan is None:
            return None
        higher = plan.reference.solved > plan.reference.baseline
        return Standing(self._step, plan.steps, plan.monitor, value, higher)


def held(folder: RunFolder, request: StopRequest) -> contextlib.AbstractContextManager[Any]:
    """Hold a run folder, once whoever had it before is gone.

    Args:
        folder: The folder.
        request: Asks for a stop, which ends the wait.

    Raises:
        RunError: If another process keeps it.
    """
    give_up = time.monotonic() + _PATIENCE
    while True:
        stack = contextlib.ExitStack()
        try:
            stack.enter_context(folder.held())
        except RunError:
            if time.monotonic() > give_up or request.signal is not None:
                raise
            time.sleep(_BETWEEN_TRIES)
        else:
            return stack
