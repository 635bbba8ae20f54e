"""One run of `rum train`: its folder, its processes, its end."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rumcli.cli import code, distributed, engine
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.cli.showing import Showing
    from rumcli.config import RunConfig
    from rumcli.tasks.material import Material
    from rumcli.training.distribution import Placement, Runtime
    from rumcli.training.requirements import Requirement
    from rumcli.training.run_folder import RunFolder
    from rumcli.training.stopping import StopRequest


def run(
    run: RunConfig,
    out: Path | None,
    resume: Path | None,
    required: list[Requirement],
    showing: Showing,
    placement: Placement | None = None,
    from_scratch: bool = False,
) -> None:
    """Train, or go on with a run, and show its summary.

    Args:
        run: What to run.
        out: The run folder to make; None: one with the next free number.
        resume: The folder of the run that goes on; None: it is a new one.
        required: What is asked of the summary.
        showing: How it is shown.
        placement: Devices and processes, of which this is process 0; None for one device.
        from_scratch: Whether a resumed run begins again, without its checkpoints and record.
    """
    from rumcli.training import material as materials
    from rumcli.training import requirements, stopping
    from rumcli.training.run_folder import RunFolder

    if resume is not None:
        if show_finished(run, resume, required, showing, from_scratch, placement):
            return
        folder = RunFolder.open(resume)
        requirements.check_early(required, run, requirements.OF_TRAINING)
        material = materials.for_training(run, None if from_scratch else folder)
    else:
        requirements.check_early(required, run, requirements.OF_TRAINING)
        material = materials.for_training(run, None)
        folder = None
    # From when on there is a folder, a signal has to be answered with how to go on.
    with contextlib.ExitStack() as stack:
        request = stack.enter_context(stopping.listening())
        if folder is None:
            folder = stack.enter_context(RunFolder.claim(out, run))
        else:
            take(folder, run, from_scratch, showing, stack)
        hint = f"; to go on: {folder.resume_command}"
        joined = distributed.runtime(placement, request, showing, hint)
        engine.start(showing.debug, joined.start, showing.quiet)
        with joined.group.watched():
            if placement is not None:
                distributed.agree(placement, run, joined.group)
            code.admit(run)
            summary = _follow(run, folder, material, request, required, showing, joined)
    validations = _draw(folder)
    show_summary(summary, required, showing, validations)
    if not (showing.quiet or showing.as_json) and output.is_live():
        place = shlex.quote(str(folder.path))
        output.note(f"curve: {place}/curves.svg; next: rum eval {place}, or rum compare runs")


def _draw(folder: RunFolder) -> list[float]:
    """Draw the learning curve of a run; a full disk does not make a finished run a failed one."""
    from rumcli.cli import plot

    try:
        return plot.save_curves(folder)
    except OSError as error:
        output.note(f"warning: can't write {folder.path}/curves.svg: {error.strerror or error}")
        return []


def show_finished(
    run: RunConfig,
    resume: Path,
    required: list[Requirement],
    showing: Showing,
    from_scratch: bool,
    placement: Placement | None = None,
) -> bool:
    """Show the summary of a run of which nothing is left; tell whether there is nothing left."""
    from rumcli.training import requirements
    from rumcli.training.run_folder import RunFolder

    folder = RunFolder.open(resume)
    finished = folder.finished(run)
    if not finished or from_scratch:
        return False
    finished = {**finished, "folder": str(folder.path)}  # it may have been moved
    requirements.check_names(required, requirements.figures_in(finished))
    if not showing.quiet:
        output.note(f"{resume} is finished at step {_end(finished)}")
    distributed.dismiss(placement, showing)
    show_summary(finished, required, showing)
    return True


def take(
    folder: RunFolder,
    run: RunConfig,
    from_scratch: bool,
    showing: Showing,
    stack: contextlib.ExitStack,
) -> None:
    """Take the folder of an earlier run, after a check that the run can continue."""
    from rumcli.training import resume

    before = stack.enter_context(folder.held())
    with folder.writing():
        if from_scratch:
            resume.start_over(folder)
        else:
            resume.check(folder)
        showing.tell_of(before)
        folder.write_config(run)


def _follow(
    run: RunConfig,
    folder: RunFolder,
    material: Material | None,
    request: StopRequest,
    required: list[Requirement],
    showing: Showing,
    joined: Runtime,
) -> dict[str, Any]:
    from rumcli.reporting import progress
    from rumcli.training.callback import RunStopped
    from rumcli.training.trainer import train as train_run

    listener = progress.listener(output.stderr(), showing.quiet, live=output.is_live())
    # While the backend started. Several processes agree on it before their first step.
    if request.signal is not None and joined.group.count == 1:
        output.note(f"stopped before the first step; to go on: {folder.resume_command}")
        raise SystemExit(128 + request.signal)
    try:
        summary = train_run(run, folder, listener, request, material, required, joined.group)
    except RunStopped as stopped:
        joined.finish()
        note_stop(folder, run, stopped.step)
        # Not `typer.Exit`, which cannot be told from an interrupted command.
        raise SystemExit(128 + stopped.signal) from None
    joined.finish()
    return summary


def note_stop(folder: RunFolder, run: RunConfig, step: int) -> None:
    """Print how to continue a run that was stopped and saved at a step."""
    where = f"; saved at step {step} of {run.train.steps}" if step else " before the first step"
    output.note(f"stopped{where}; to go on: {folder.resume_command}")


def _end(finished: dict[str, Any]) -> str:
    if reached := finished.get("reached"):
        hint = f", where it reached {reached}"
    elif callback := finished.get("stopped_by"):
        hint = f", where callback {callback} stopped it"
    else:
        hint = "; --steps makes it longer"
    return f"{finished['steps']}{hint}"


def show_summary(
    summary: dict[str, Any],
    required: list[Requirement],
    showing: Showing,
    validations: Sequence[float] = (),
) -> None:
    """Show the summary of a run with its validations, and enforce what is required of it."""
    from rumcli.documents.results import Summary
    from rumcli.reporting import tables
    from rumcli.training import requirements

    summary = requirements.judged(required, summary)
    showing.show(Summary.read(summary), lambda shown: tables.result(shown, validations))
    requirements.enforce(summary)
