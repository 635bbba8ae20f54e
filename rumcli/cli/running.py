"""One run of `rum train`: its folder, its processes, its end."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rumcli.cli import code, engine, workers
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.cli.showing import Showing
    from rumcli.cli.workers import Joining, Team
    from rumcli.config import RunConfig
    from rumcli.tasks.material import Material
    from rumcli.training.requirements import Requirement
    from rumcli.training.run_folder import RunFolder
    from rumcli.training.stopping import StopRequest


def run(
    run: RunConfig,
    out: Path | None,
    resume: Path | None,
    required: list[Requirement],
    showing: Showing,
    team: Team | None,
    from_scratch: bool = False,
) -> None:
    """Train, or go on with a run, and show its summary.

    Args:
        run: What to run.
        out: The run folder to make; None: one with the next free number.
        resume: The folder of the run that goes on; None: it is a new one.
        required: What is asked of the summary.
        showing: How it is shown.
        team: The processes that train together; None: this one alone.
        from_scratch: Whether a resumed run begins again, without its checkpoints and record.
    """
    from rumcli.training import material as materials
    from rumcli.training import requirements, stopping
    from rumcli.training.run_folder import RunFolder

    if resume is not None:
        folder = RunFolder.open(resume)
        if (finished := folder.finished(run)) and not from_scratch:
            requirements.check_names(required, requirements.figures_in(finished))
            if not showing.quiet:
                output.note(f"{resume} is finished at step {_end(finished)}")
            workers.dismiss(team, showing)
            _show_summary(finished, required, showing)
            return
        material = materials.for_training(run, None if from_scratch else folder)
    else:
        material = materials.for_training(run, None)
        folder = None
    # From when on there is a folder, a signal has to be answered with how to go on.
    with contextlib.ExitStack() as stack:
        request = stack.enter_context(stopping.listening())
        if folder is None:
            folder = stack.enter_context(RunFolder.claim(out, run))
        else:
            _take(folder, run, from_scratch, showing, stack)
        joining = stack.enter_context(workers.gathered(team, run, folder, request, showing))
        engine.start(showing.debug, joining.join)
        code.admit(run)
        summary = _follow(run, folder, material, request, required, showing, joining)
    _show_summary(summary, required, showing)


def _take(
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
    joining: Joining,
) -> dict[str, Any]:
    from rumcli.reporting import progress
    from rumcli.training.callback import RunStopped
    from rumcli.training.trainer import train as train_run

    listener = progress.listener(output.stderr(), showing.quiet, live=output.is_live())
    try:
        return train_run(run, folder, listener, request, material, required, joining.group)
    except RunStopped as stopped:
        output.note(
            f"stopped; saved at step {stopped.step} of {run.train.steps}; "
            f"to go on: {folder.resume_command}"
        )
        # Not `typer.Exit`, which cannot be told from an interrupted command.
        raise SystemExit(128 + stopped.signal) from None


def _end(finished: dict[str, Any]) -> str:
    reached = finished.get("reached")
    hint = f", where it reached {reached}" if reached else "; --steps makes it longer"
    return f"{finished['steps']}{hint}"


def _show_summary(summary: dict[str, Any], required: list[Requirement], showing: Showing) -> None:
    from rumcli.reporting import tables
    from rumcli.training import requirements

    summary = requirements.judged(required, summary)
    showing.show("train", summary, tables.result)
    requirements.enforce(summary)
