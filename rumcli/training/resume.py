"""Where a run continues: its newest checkpoint, its best evaluation, or the beginning.

A run that had checkpoints and lost them does not begin again by itself: its record would be lost.
"""

from __future__ import annotations

import shlex

from rumcli import atomic_io
from rumcli.errors import RunError
from rumcli.training.checkpoint import BEST, Checkpoint, DamagedError
from rumcli.training.run_dir import CONFIG, METRICS, NOT_FINITE, PROGRESS, RunDir


def load(folder: RunDir) -> tuple[Checkpoint | None, list[str]]:
    """Load the checkpoint from which a run continues.

    That is the newest whole one. A run that was interrupted before it saved one continues from its
    best evaluation, or begins again if there is none.

    Args:
        folder: The run.

    Returns:
        The checkpoint, None if the run begins; and a line for the user for each thing that is not
        as it should be.

    Raises:
        RunError: If checkpoints are missing, or all are damaged.
    """
    checkpoint, warnings = folder.checkpoints.load_newest()
    if checkpoint is not None:
        return checkpoint, warnings
    check(folder)
    try:
        best = folder.checkpoints.load_best()
    except DamagedError as error:
        raise RunError(f"{error}, and there is no other one; {_ways_out(folder)}") from error
    if best is not None:
        warnings.append(
            f"the run was interrupted before its first regular checkpoint; it continues from "
            f"{BEST}.npz, of step {best.step}"
        )
    elif folder.records():
        warnings.append("the run was interrupted before its first checkpoint; it begins again")
    return best, warnings


def check(folder: RunDir) -> None:
    """Check, without loading anything, that a run can continue without losing what it had done.

    Args:
        folder: The run.

    Raises:
        RunError: If it had checkpoints and they are gone.
    """
    checkpoints = folder.checkpoints
    if checkpoints.numbered():
        return
    done, was_saved = folder.records(), (folder.path / PROGRESS).exists()
    # The first evaluation is recorded right before it is saved as the best one.
    if not was_saved and (len(done) <= 1 or checkpoints.has_best):
        return
    noted = folder.read_json(PROGRESS)
    step = noted.get("step") if isinstance(noted, dict) else None
    latest = max([record["step"] for record in done] + ([step] if type(step) is int else []) + [0])
    what = f"; only {BEST}.npz is there" if checkpoints.has_best else ""
    raise RunError(
        f"{folder.path} has no checkpoint to continue from, although the run had reached step "
        f"{latest}: {checkpoints.path}/step-*.npz are missing{what}; {_ways_out(folder)}"
    )


def start_over(folder: RunDir) -> None:
    """Delete the checkpoints and records of a run, so that it begins again.

    Args:
        folder: The run.

    Raises:
        OSError: If they can't be deleted.
    """
    folder.checkpoints.clear()
    for name in ("summary.json", METRICS, NOT_FINITE, PROGRESS):
        atomic_io.remove(folder.path / name)


def _ways_out(folder: RunDir) -> str:
    return (
        f"restore the checkpoints, or delete the record and begin again: {folder.resume_command} "
        "--from-scratch, or begin in a new folder: rum train --preset "
        f"{shlex.quote(str(folder.path / CONFIG))}"
    )
