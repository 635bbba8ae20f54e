"""Selection of the checkpoint from which a run resumes, and messages about missing ones. No Keras.

A run resumes from its newest checkpoint, its best one, or none. A run that has lost its checkpoints
does not restart automatically, because its record would be overwritten.
"""

from __future__ import annotations

from rumcli import atomic_io, errors
from rumcli.errors import RunError
from rumcli.training.checkpoint import BEST, Checkpoint, DamagedError
from rumcli.training.run_dir import CONFIG, LOGGERS, METRICS, NOT_FINITE, PROGRESS, RunDir


def missing_checkpoint(run_dir: RunDir, which: str) -> str | None:
    """Return the error message if a checkpoint is missing; else None.

    Args:
        run_dir: Run directory.
        which: `"best"` (by validation) or `"last"`.
    """
    checkpoints = run_dir.checkpoints
    exists = checkpoints.has_best if which == BEST else checkpoints.numbered()
    return None if exists else missing_checkpoint_message(run_dir, which)


def require_checkpoint(run_dir: RunDir, which: str) -> None:
    """Check that a run has the requested checkpoint.

    Args:
        run_dir: Run directory.
        which: `"best"` (by validation) or `"last"`.

    Raises:
        RunError: If the checkpoint is missing.
    """
    if why := missing_checkpoint(run_dir, which):
        raise RunError(why)


def missing_checkpoint_message(run_dir: RunDir, which: str) -> str:
    """Return the error message for a missing checkpoint.

    Args:
        run_dir: Run directory.
        which: `"best"` (by validation) or `"last"`.
    """
    checkpoints = run_dir.checkpoints
    if not run_dir.records() and not (run_dir.path / PROGRESS).exists():
        return (
            f"{run_dir.path} has no '{which}' checkpoint yet; "
            f"to resume the run: {run_dir.resume_call()}"
        )
    if which == BEST and checkpoints.numbered():
        return f"{run_dir.path} has lost its best.npz; try {errors.option('--checkpoint', 'last')}"
    lost = f"{BEST}.npz" if which == BEST else "step-*.npz"
    return (
        f"{checkpoints.path}/{lost} is missing; restore it, or train again: "
        f"{run_dir.resume_call(from_scratch=True)}"
    )


def load(run_dir: RunDir) -> tuple[Checkpoint | None, list[str]]:
    """Load the checkpoint from which a run resumes.

    That is the newest intact one. A run that was interrupted before its first regular checkpoint
    resumes from `best.npz`, or starts from the beginning if there is none.

    Args:
        run_dir: Run directory.

    Returns:
        The checkpoint, or None if the run starts from the beginning; and a list of warnings.

    Raises:
        RunError: If the checkpoints are missing or all damaged.
    """
    checkpoint, warnings = run_dir.checkpoints.load_newest()
    if checkpoint is not None:
        return checkpoint, warnings
    check(run_dir)
    try:
        best = run_dir.checkpoints.load_best()
    except DamagedError as error:
        raise RunError(
            f"{error}, and the run has no other checkpoint; {_remedies(run_dir)}"
        ) from error
    if best is not None:
        warnings.append(
            f"the run was interrupted before its first regular checkpoint; it resumes from "
            f"{BEST}.npz (step {best.step})"
        )
    elif run_dir.records():
        warnings.append(
            "the run was interrupted before its first checkpoint; it restarts from step 0"
        )
    return best, warnings


def check(run_dir: RunDir) -> None:
    """Check, without loading a checkpoint, that a run can resume without losing its progress.

    Args:
        run_dir: Run directory.

    Raises:
        RunError: If the run has lost its checkpoints.
    """
    checkpoints = run_dir.checkpoints
    if checkpoints.numbered():
        return
    records, was_saved = run_dir.records(), (run_dir.path / PROGRESS).exists()
    # The first evaluation is recorded right before it is saved as the best one.
    if not was_saved and (len(records) <= 1 or checkpoints.has_best):
        return
    progress = run_dir.read_json(PROGRESS)
    step = progress.get("step") if isinstance(progress, dict) else None
    latest = max(
        [record["step"] for record in records] + ([step] if type(step) is int else []) + [0]
    )
    rest = f" (only {BEST}.npz exists)" if checkpoints.has_best else ""
    raise RunError(
        f"{run_dir.path} lost its checkpoints: {checkpoints.path}/step-*.npz are missing{rest}, "
        f"and the run had reached step {latest}; {_remedies(run_dir)}"
    )


def start_over(run_dir: RunDir) -> None:
    """Delete the checkpoints and records of a run, so that it starts from the beginning.

    Args:
        run_dir: Run directory.

    Raises:
        OSError: If a file cannot be deleted.
    """
    run_dir.checkpoints.clear()
    for name in ("summary.json", METRICS, NOT_FINITE, PROGRESS, LOGGERS):
        atomic_io.remove(run_dir.path / name)


def _remedies(run_dir: RunDir) -> str:
    return (
        f"restore them, or restart the run and delete its records: "
        f"{run_dir.resume_call(from_scratch=True)}, or start a new run: "
        f"{errors.call('train', preset=run_dir.path / CONFIG)}"
    )
