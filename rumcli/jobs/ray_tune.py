"""Callbacks that connect Ray Tune to the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from rumcli import atomic_io
from rumcli.jobs.engine import Engine
from rumcli.jobs.job_folder import STOP
from rumcli.jobs.job_spec import FAILED, UNFINISHED, Job, RunResult


class _Unsaved:
    """Object that pickles to nothing: Ray saves it to its own directory, which is never read."""

    def __reduce__(self) -> tuple[type[object], tuple[()]]:
        return object, ()


class Runs(_Unsaved, Searcher):
    """Search algorithm that passes the runs of the engine to Ray.

    Args:
        engine: Scheduler of the runs.
        common: Arguments common to all trials.
    """

    def __init__(self, engine: Engine, common: dict[str, Any]) -> None:
        super().__init__()
        self._engine = engine
        self._common = common
        self._jobs: dict[str, Job] = {}
        self._folders: dict[Job, Path] = {}

    def of(self, trial: Any) -> Job:
        """Return the run of a Ray trial."""
        return self._jobs[trial.trial_id]

    def folder(self, job: Job) -> Path:
        """Return the directory of a run that was passed to Ray."""
        return self._folders[job]

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the configuration of the next trial; None if one may follow later."""
        found = self._engine.next()
        if found is None:
            return None if self._engine.may_continue else Searcher.FINISHED
        job, run_dir = found
        self._jobs[trial_id] = job
        self._folders[job] = run_dir.path.resolve()
        return {**self._common, "folder": str(self._folders[job])}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing: `Watch` reports it."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Save nothing: the state is in the directory of the set."""


class Watch(_Unsaved, tune.Callback):
    """Callback that reports trial events to the engine, and forwards its stop requests to the runs.

    Args:
        engine: Receives the events.
        runs: Mapping from trials to runs.
    """

    def __init__(self, engine: Engine, runs: Runs) -> None:
        self._engine = engine
        self._runs = runs
        self._requested: dict[Job, str] = {}
        self.stopper = _Stopper()

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Report the start of a run."""
        self._engine.began(self._runs.of(trial))

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Report the progress of a run."""
        if "progress" in result and "end" not in result:
            machine = result.get("hostname", "")
            self._engine.progressed(self._runs.of(trial), result["progress"], machine)

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Report the end of a run."""
        self._ended(trial, trial.last_result.get("end", RunResult(UNFINISHED)))

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Report that a run is restarted."""
        self._engine.retried(self._runs.of(trial), _reason(trial))

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Report that a run died and has no restarts left."""
        self._ended(trial, RunResult(FAILED, _reason(trial)))

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        """Forward the stop requests; end once all runs have saved."""
        for job, how in self._engine.stops().items():
            if self._requested.get(job) != how:
                self._requested[job] = how
                atomic_io.write_text(self._runs.folder(job) / STOP, how)
        if self._engine.is_closed:
            self.stopper.is_over = all(trial.status != "RUNNING" for trial in trials)

    def _ended(self, trial: Any, result: RunResult) -> None:
        job = self._runs.of(trial)
        if self._requested.pop(job, None):
            atomic_io.remove(self._runs.folder(job) / STOP)
        self._engine.ended(job, result)


class _Stopper(_Unsaved, tune.Stopper):
    """Stopper that ends pending trials once all others have ended."""

    def __init__(self) -> None:
        self.is_over = False

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.is_over


def _reason(trial: Any) -> str:
    """Return the reason why a Ray trial died, in one line."""
    try:
        text = Path(trial.error_file).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError):
        text = ""
    latest = text.rpartition("Failure # ")[2].splitlines()[1:]  # skip the time
    lines = [line.strip() for line in latest if line.strip()]
    # For an exception in the run, Ray reports the traceback; else a long text about its processes.
    is_exception = bool(lines) and lines[0].startswith("ray::")
    return lines[-1][:300] if is_exception else "its process or machine died"
