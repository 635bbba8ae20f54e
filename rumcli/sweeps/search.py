"""The search of a sweep: its queue of runs, its source of points, and its early stopping."""

from __future__ import annotations

from rumcli.jobs.events import JobListener
from rumcli.jobs.halving import Halving
from rumcli.sweeps import results
from rumcli.sweeps.folder import Run, SweepFolder
from rumcli.sweeps.plan import Plan
from rumcli.sweeps.queue import Queue, Source


def queue(plan: Plan, folder: SweepFolder, listener: JobListener) -> Queue:
    """Return the runs of a sweep that are left.

    Args:
        plan: What the sweep is.
        folder: Its directory.
        listener: Receives the points that can't be run.
    """
    fixed = plan.points()
    if fixed is not None:
        return Queue(plan, folder, Source(fixed), listener)
    from rumcli.sweeps.bayesian import Bayesian  # needs Optuna

    return Queue(plan, folder, Bayesian(plan), listener)


def halving(plan: Plan, folder: SweepFolder) -> Halving | None:
    """Return the early stopping of a sweep, with all validations so far; None without one."""
    settings = plan.description.early_stopping
    if settings is None:
        return None
    found = Halving(settings.first, settings.factor, plan.base.train.steps)
    for number, point in enumerate(folder.points(), 1):
        for seed in plan.description.seeds:
            run = Run(number, seed, point)
            for step, score in results.curve(folder, run):
                found.allows(run.name, step, score)
    return found
