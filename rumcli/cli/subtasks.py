"""`rum train babi --subtask all`: twenty runs, and one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rumcli.cli import engine
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.config import RunConfig
    from rumcli.training.listener import Listener


def run_all(
    run: RunConfig, out: Path | None, resume: Path | None, as_json: bool, quiet: bool, debug: bool
) -> None:
    """Train on all subtasks, or go on with that, and show the table."""
    from rumcli.training import stopping
    from rumcli.training.run_folder import RunFolder

    with stopping.listening() as request:
        engine.start(debug)
        from rumcli.training import subtasks
        from rumcli.training.callback import RunStopped

        if resume is not None:
            folder = RunFolder.open(resume)
            subtasks.check(run, folder)
            with folder.writing():
                folder.write_config(run)
        else:
            subtasks.check(run, None)
            folder = RunFolder.create(out, run)
        try:
            summary = subtasks.train_all(run, folder, _listeners(quiet), request)
        except RunStopped as stopped:
            output.note(f"stopped; all is saved; to go on: {folder.resume_command}")
            # Not `typer.Exit`, which cannot be told from an interrupted command.
            raise SystemExit(128 + stopped.signal) from None
    if as_json:
        output.show_json(summary)
    elif not quiet:
        from rumcli.reporting import answers

        output.show(answers.subtasks(summary))


def _listeners(quiet: bool) -> Any:
    from rumcli.data.babi.subtasks import name_of
    from rumcli.reporting import progress

    def listener(number: int) -> Listener:
        if not quiet:
            output.note(f"subtask {number}, {name_of(number)}")
        return progress.listener(output.stderr(), quiet, live=output.is_live())

    return listener
