"""`rum train babi --subtask all`: twenty runs, and one table."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from rumcli.cli import code, engine
from rumcli.cli.running import Finished, Stopped
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.cli.planning import PlannedRun
    from rumcli.cli.showing import Showing
    from rumcli.config import RunConfig
    from rumcli.training.listener import Listener
    from rumcli.training.requirements import Requirement
    from rumcli.training.run_folder import RunFolder
    from rumcli.training.stopping import StopRequest


def execute(planned: PlannedRun, required: list[Requirement], showing: Showing) -> Finished:
    """Train on all subtasks, or resume that, without showing the table.

    Args:
        planned: The run.
        required: Requirements on the summary; only their names are checked.
        showing: How messages are shown.

    Raises:
        Stopped: If a signal stopped it.
    """
    from rumcli.training import requirements, stopping
    from rumcli.training.run_folder import RunFolder

    run, resume = planned.config, planned.resume
    requirements.check_names(required, requirements.OF_SUITE)
    with stopping.listening() as request:
        engine.start(showing.debug, quiet=showing.quiet)
        code.admit(run)
        from rumcli.training import subtasks

        subtasks.check(run, None if resume is None else RunFolder.open(resume))
        with contextlib.ExitStack() as stack:
            if resume is None:
                folder = stack.enter_context(RunFolder.claim(planned.out, run))
            else:
                folder = RunFolder.open(resume)
                showing.tell_of(stack.enter_context(folder.held()))
                with folder.writing():
                    folder.write_config(run)
            summary = _follow(run, folder, request, showing)
    return Finished(folder, summary)


def _follow(
    run: RunConfig, folder: RunFolder, request: StopRequest, showing: Showing
) -> dict[str, Any]:
    from rumcli.training import session, subtasks
    from rumcli.training.callback import RunStopped

    try:
        with session.restored():
            return subtasks.train_all(run, folder, _listeners(showing.quiet), request)
    except RunStopped as stopped:
        raise Stopped("stopped; all is saved", folder, stopped.signal) from None


def _listeners(quiet: bool) -> Any:
    from rumcli.data.babi.subtasks import name_of
    from rumcli.reporting import progress

    def listener(number: int) -> Listener:
        if not quiet:
            output.note(f"subtask {number}, {name_of(number)}")
        return progress.listener(output.stderr(), quiet, live=output.is_live())

    return listener
