"""Selection of the checkpoint from which a run resumes, and messages about missing ones. No Keras.

A run resumes from its newest checkpoint, its best one, or none. A run that has lost its checkpoints
does not restart automatically, because its record would be overwritten.
"""

from __future__ import annotations

from rumcli import atomic_io, errors
from rumcli.errors import RunError
from rumcli.training.checkpoint import BEST, Checkpoint, DamagedError
from rumcli.training.run_dir import CONFIG, LOGGERS, METRICS, NOT_FINITE, PROGRESS, RunDir


def missing_checkpoint(folder: RunDir, which: str) -> str | None:
    """Return the error message if a checkpoint is missing; else None.

    Args:
        folder: Run directory.
        which: `"best"` (by validation) or `"last"`.
    """
    place = folder.checkpoints
    is_there = (place.path / f"{BEST}.npz").exists() if which == BEST else place.numbered()
    return None if is_there else missing_checkpoint_message(folder, which)


def require_checkpoint(folder: RunDir, which: str) -> None:
    """Check that a run has the requested checkpoint.

    Args:
        folder: Run directory.
        which: `"best"` (by validation) or `"last"`.

    Raises:
        RunError: If the checkpoint is missing.
    """
    if why := missing_checkpoint(folder, which):
        raise RunError(why)


def missing_checkpoint_message(folder: RunDir, which: str) -> str:
    """Return the error message for a missing checkpoint.

    Args:
        folder: Run directory.
        which: `"best"` (by validation) or `"last"`.
    """
    place = folder.checkpoints
    if not folder.records() and not (folder.path / PROGRESS).exists():
        return f"{folder.path} has no '{which}' checkpoint yet; resume it: {folder.resume_call()}"
    if which == BEST and place.numbered():
        return (
            f"{folder.path} has no best.npz any more; try {errors.option('--checkpoint', 'last')}"
        )
    lost = f"{BEST}.npz" if which == BEST else "step-*.npz"
    return (
        f"{place.path}/{lost} is missing; restore it, or train again: "
        f"{folder.resume_call(from_scratch=True)}"
    )


def load(folder: RunDir) -> tuple[Checkpoint | None, list[str]]:
    """Load the checkpoint from which a run resumes.

    That is the newest intact one. A run that was interrupted before its first regular checkpoint
    resumes from `best.npz`, or starts from the beginning if there is none.

    Args:
        folder: Run directory.

    Returns:
        The checkpoint, or None if the run starts from the beginning; and a list of warnings.

    Raises:
        RunError: If the checkpoints are missing or all damaged.
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
    """Check, without loading a checkpoint, that a run can resume without losing its progress.

    Args:
        folder: Run directory.

    Raises:
        RunError: If the run has lost its checkpoints.
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
    """Delete the checkpoints and records of a run, so that it starts from the beginning.

    Args:
        folder: Run directory.

    Raises:
        OSError: If a file cannot be deleted.
    """
    folder.checkpoints.clear()
    for name in ("summary.json", METRICS, NOT_FINITE, PROGRESS, LOGGERS):
        atomic_io.remove(folder.path / name)


def _ways_out(folder: RunDir) -> str:
    return (
        f"restore the checkpoints, or delete the record and begin again: "
        f"{folder.resume_call(from_scratch=True)}, or begin in a new folder: "
        f"{errors.call('train', preset=folder.path / CONFIG)}"
    )
