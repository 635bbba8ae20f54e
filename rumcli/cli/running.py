"""One run of `rum train`: its folder, its processes, its end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rumcli.cli import code, engine, workers
from rumcli.errors import ConfigError
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
) -> None:
    """Train, or go on with a run, and show its summary.

    Args:
        run: What to run.
        out: The run folder to make; None: one with the next free number.
        resume: The folder of the run that goes on; None: it is a new one.
        required: What is asked of the summary.
        showing: How it is shown.
        team: The processes that train together; None: this one alone.
    """
    from rumcli.training import material as materials
    from rumcli.training import requirements, stopping
    from rumcli.training.run_folder import RunFolder

    if resume is not None:
        folder = RunFolder.open(resume)
        if finished := folder.finished(run):
            requirements.check_names(required, requirements.figures_in(finished))
            if not showing.quiet:
                output.note(f"{resume} is finished at step {_end(finished)}")
            workers.dismiss(team, showing)
            _show_summary(finished, required, showing)
            return
        requirements.check_early(required, run, requirements.OF_TRAINING)
        material = materials.for_training(run, folder)
    else:
        requirements.check_early(required, run, requirements.OF_TRAINING)
        material = materials.for_training(run, None)
        folder = None
    # From when on there is a folder, a signal has to be answered with how to go on.
    with stopping.listening() as request:
        folder = folder or RunFolder.create(out, run)
        try:
            with folder.held() as before:
                if resume is not None:
                    showing.tell_of(before)
                    with folder.writing():
                        folder.write_config(run)
                with workers.gathered(team, run, folder, request, showing) as joining:
                    engine.start(showing.debug, joining.join, showing.quiet)
                    code.admit(run)
                    summary = _follow(run, folder, material, request, required, showing, joining)
        except ConfigError:  # found only once the backend was there
            if resume is None:
                folder.discard()
            raise
    _show_summary(summary, required, showing)


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
    if request.signal is not None:  # while the backend started
        output.note(f"stopped before the first step; to go on: {folder.resume_command}")
        raise SystemExit(128 + request.signal)
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
