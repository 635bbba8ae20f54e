"""What Ray Tune asks while it runs: what comes next, what to stop early, what has happened."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from ray.tune.search import Searcher

from rumcli import files
from rumcli.config import RunConfig
from rumcli.sweeps import results, worker
from rumcli.sweeps.folder import FAILED, STOPPED_EARLY, Run, SweepFolder
from rumcli.sweeps.listener import SweepListener
from rumcli.sweeps.plan import EarlyStopping, Plan
from rumcli.sweeps.queue import Queue

if TYPE_CHECKING:
    from rumcli.sweeps.tune import Limits


class _Unkept:
    """Something that Ray wants to write to its own folder, which nobody reads."""

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        return object, ()


class Next(_Unkept, Searcher):
    """Gives Ray the runs of a queue, one after the other.

    Args:
        plan: What the sweep is.
        folder: Of the sweep.
        queue: Knows what comes next.
        start: Brings up what a run needs, in its process.
        listener: Hears of points that can't be run.

    Attributes:
        is_closed: Whether there are no more.
    """

    def __init__(
        self,
        plan: Plan,
        folder: SweepFolder,
        queue: Queue,
        start: Callable[[RunConfig], None],
        listener: SweepListener,
    ) -> None:
        super().__init__()
        self._plan = plan
        self._folder = folder
        self._queue = queue
        self._start = start
        self._listener = listener
        self._runs: dict[str, Run] = {}
        self.is_closed = False

    def of(self, trial_id: str) -> Run:
        """Return the run that a trial of Ray's is."""
        return self._runs[trial_id]

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Return what a trial needs to know of the next run."""
        run = None if self.is_closed else self._queue.next()
        while self._queue.refused:
            refusal = self._queue.refused.popleft()
            self._listener.refused(refusal.runs, refusal.message)
        if run is None:
            return Searcher.FINISHED
        self._runs[trial_id] = run
        place = self._folder.begin(run, self._plan)
        return {
            "folder": str(place.path.resolve()),
            "stop_file": str(self._folder.stop_file.resolve()),
            "place": str(Path.cwd()),
            "cores": self._plan.description.cores_per_run,
            "gpus": self._plan.description.gpus_per_run,
            "environment": worker.environment(),
            "start": self._start,
        }

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Let the search learn of a run that is over."""
        if trial_id in self._runs:
            self._queue.ended(self._runs[trial_id])

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Save nothing: the sweep's folder has it."""


class Halving(_Unkept, AsyncHyperBandScheduler):
    """Stops runs early, and knows what happened before a sweep was interrupted.

    Args:
        settings: When.
        steps: That a run has.
        folder: Of the sweep.
        searcher: Knows the runs.
        earlier: Those that were done before.
    """

    def __init__(
        self,
        settings: EarlyStopping,
        steps: int,
        folder: SweepFolder,
        searcher: Next,
        earlier: Sequence[Run],
    ) -> None:
        super().__init__(
            time_attr="step",
            metric="score",
            mode="min",
            max_t=max(settings.first, steps - 1),  # at the last step there is nothing to stop
            grace_period=settings.first,
            reduction_factor=settings.factor,
            stop_last_trials=False,
        )
        self._folder = folder
        self._searcher = searcher
        self._best: dict[str, float] = {}  # scores, by run
        for run in earlier:
            stand_in: Any = SimpleNamespace(trial_id=run.name)
            super().on_trial_add(None, stand_in)
            self._replay(stand_in, run)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Hear of a run; of one that goes on, with what it has done before."""
        super().on_trial_add(tune_controller, trial)
        self._replay(trial, self._searcher.of(trial.trial_id))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Decide whether a run goes on."""
        run = self._searcher.of(trial.trial_id)
        decision = self._decide(tune_controller, trial, run, result)
        if decision == TrialScheduler.STOP:
            self._folder.mark(run, STOPPED_EARLY, f"at step {result['step']}")
        return decision

    def _replay(self, trial: Any, run: Run) -> None:
        for step, score in results.curve(self._folder, run):
            self._decide(None, trial, run, {"step": step, "score": score})

    def _decide(self, controller: Any, trial: Any, run: Run, result: dict[str, Any]) -> str:
        """Compare the best so far, which is what the results compare; one value is noisy."""
        if "score" in result:
            best = min(result["score"], self._best.get(run.name, math.inf))
            self._best[run.name] = best
            result = {**result, "score": best}
        return super().on_trial_result(controller, trial, result)


class Watch(_Unkept, tune.Callback):
    """Tells a listener what happens, and asks all runs to stop when it is time to.

    Args:
        folder: Of the sweep.
        listener: Hears of it.
        searcher: Knows the runs.
        limits: When to stop.
    """

    def __init__(
        self, folder: SweepFolder, listener: SweepListener, searcher: Next, limits: Limits
    ) -> None:
        self._folder = folder
        self._listener = listener
        self._searcher = searcher
        self.limits = limits
        self.stopper = _Stopper()

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Pass it on."""
        self._listener.began(self._searcher.of(trial.trial_id))

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Pass on how far a run is; keep what it failed for."""
        run = self._searcher.of(trial.trial_id)
        if result.get("state") == FAILED:
            self._folder.mark(run, FAILED, result["message"])
        if result.get("standing") is not None:
            self._listener.progressed(run, result["standing"], result.get("hostname", ""))

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Pass it on."""
        run = self._searcher.of(trial.trial_id)
        mark = self._folder.mark_of(run)
        if mark is not None:
            self._listener.ended(run, mark.state, mark.message)
        else:
            state = trial.last_result.get("state", results.UNFINISHED)
            self._listener.ended(run, state, "")

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Pass it on."""
        self._listener.retried(self._searcher.of(trial.trial_id), _reason(trial))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Keep it, and pass it on."""
        run, reason = self._searcher.of(trial.trial_id), _reason(trial)
        self._folder.mark(run, FAILED, reason)
        self._listener.ended(run, FAILED, reason)

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        """Ask for a stop, once it is time; end when all runs have saved."""
        if not self._searcher.is_closed and (why := self.limits.why) is not None:
            self._searcher.is_closed = True
            files.write_text(self._folder.stop_file, "")
            self._listener.stopping(why)
        if self._searcher.is_closed:
            self.stopper.is_over = all(trial.status != "RUNNING" for trial in trials)


class _Stopper(_Unkept, tune.Stopper):
    """Ends what has not begun, once it is told to."""

    def __init__(self) -> None:
        self.is_over = False

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.is_over


def _reason(trial: Any) -> str:
    """Say in one line why a trial of Ray's died."""
    try:
        text = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError):
        text = ""
    latest = text.rpartition("Failure # ")[2].splitlines()[1:]  # without the time
    lines = [line.strip() for line in latest if line.strip()]
    # Of an exception in the run Ray writes the traceback; else a story about processes.
    is_exception = bool(lines) and lines[0].startswith("ray::")
    return lines[-1][:300] if is_exception else "its process or machine died"
