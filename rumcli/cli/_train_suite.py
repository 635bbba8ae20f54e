"""`rum train babi --subtask all`: twenty runs with one table of results."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from rumcli.cli import _keras_startup, _trusted_code
from rumcli.cli._train_single import Finished, Stopped
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.cli._output_mode import OutputMode
    from rumcli.cli._planning import PlannedRun
    from rumcli.config import RunConfig
    from rumcli.training.listeners import Listener
    from rumcli.training.requirements import Threshold
    from rumcli.training.run_dir import RunDir
    from rumcli.training.stop_signals import StopRequest


def execute(planned: PlannedRun, required: list[Threshold], showing: OutputMode) -> Finished:
    """Train all subtasks, or resume them, without showing the table.

    Args:
        planned: Run to train.
        required: Thresholds that the summary must meet; only the names of the metrics are checked.
        showing: Output mode for messages.

    Raises:
        Stopped: If a signal stopped it.
    """
    from rumcli.training import requirements, stop_signals
    from rumcli.training.run_dir import RunDir

    run, resume = planned.config, planned.resume
    requirements.check_names(required, requirements.OF_SUITE)
    with stop_signals.listening() as request:
        _keras_startup.start(showing.debug, quiet=showing.quiet)
        _trusted_code.load_trusted(run)
        from rumcli.training import babi_suite

        babi_suite.check(run, None if resume is None else RunDir.open(resume))
        with contextlib.ExitStack() as stack:
            if resume is None:
                folder = stack.enter_context(RunDir.claim(planned.out, run))
            else:
                folder = RunDir.open(resume)
                showing.listener_for(stack.enter_context(folder.held()))
                with folder.writing():
                    folder.write_config(run)
            summary = _follow(run, folder, request, showing)
    return Finished(folder, summary)


def _follow(
    run: RunConfig, folder: RunDir, request: StopRequest, showing: OutputMode
) -> dict[str, Any]:
    from rumcli.training import babi_suite, keras_setup
    from rumcli.training.callback import RunStopped

    try:
        with keras_setup.restored():
            return babi_suite.train_all(run, folder, _listeners(showing.quiet), request)
    except RunStopped as stopped:
        raise Stopped("stopped; all is saved", folder, stopped.signal) from None


def _listeners(quiet: bool) -> Any:
    from rumcli.reporting import train_progress
    from rumcli.tasks.babi.task_names import name_of

    def listener(number: int) -> Listener:
        if not quiet:
            console.note(f"subtask {number}, {name_of(number)}")
        return train_progress.listener(console.stderr(), quiet, live=console.is_live())

    return listener
