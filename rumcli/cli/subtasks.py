"""`rum train babi --subtask all`: twenty runs, and one table."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rumcli.cli import code, engine
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.cli.showing import Showing
    from rumcli.config import RunConfig
    from rumcli.training.listener import Listener
    from rumcli.training.requirements import Requirement
    from rumcli.training.run_folder import RunFolder
    from rumcli.training.stopping import StopRequest


def run_all(
    run: RunConfig,
    out: Path | None,
    resume: Path | None,
    required: list[Requirement],
    showing: Showing,
) -> None:
    """Train on all subtasks, or go on with that, and show the table."""
    from rumcli.training import requirements, stopping
    from rumcli.training.run_folder import RunFolder

    requirements.check_names(required, requirements.OF_SUITE)
    with stopping.listening() as request:
        engine.start(showing.debug, quiet=showing.quiet)
        code.admit(run)
        from rumcli.documents.results import SuiteSummary
        from rumcli.reporting import answers
        from rumcli.training import subtasks

        subtasks.check(run, None if resume is None else RunFolder.open(resume))
        with contextlib.ExitStack() as stack:
            if resume is None:
                folder = stack.enter_context(RunFolder.claim(out, run))
            else:
                folder = RunFolder.open(resume)
                showing.tell_of(stack.enter_context(folder.held()))
                with folder.writing():
                    folder.write_config(run)
            summary = _follow(run, folder, request, showing)
    summary = requirements.judged(required, summary)
    showing.show(SuiteSummary.read(summary), answers.subtasks)
    requirements.enforce(summary)


def _follow(
    run: RunConfig, folder: RunFolder, request: StopRequest, showing: Showing
) -> dict[str, Any]:
    from rumcli.training import subtasks
    from rumcli.training.callback import RunStopped

    try:
        return subtasks.train_all(run, folder, _listeners(showing.quiet), request)
    except RunStopped as stopped:
        output.note(f"stopped; all is saved; to go on: {folder.resume_command}")
        # Not `typer.Exit`, which cannot be told from an interrupted command.
        raise SystemExit(128 + stopped.signal) from None


def _listeners(quiet: bool) -> Any:
    from rumcli.data.babi.subtasks import name_of
    from rumcli.reporting import progress

    def listener(number: int) -> Listener:
        if not quiet:
            output.note(f"subtask {number}, {name_of(number)}")
        return progress.listener(output.stderr(), quiet, live=output.is_live())

    return listener
