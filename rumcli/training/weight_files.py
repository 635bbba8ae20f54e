"""Check for missing checkpoints by file name, without importing Keras."""

from __future__ import annotations

from rumcli.errors import RunError
from rumcli.training.checkpoint import BEST
from rumcli.training.run_dir import PROGRESS, RunDir


def missing(folder: RunDir, which: str) -> str | None:
    """Return the error message if a checkpoint is missing; else None.

    Args:
        folder: Run directory.
        which: `"best"` (by validation) or `"last"`.
    """
    place = folder.checkpoints
    is_there = (place.path / f"{BEST}.npz").exists() if which == BEST else place.numbered()
    return None if is_there else message(folder, which)


def require(folder: RunDir, which: str) -> None:
    """Check that a run has the requested checkpoint.

    Args:
        folder: Run directory.
        which: `"best"` (by validation) or `"last"`.

    Raises:
        RunError: If the checkpoint is missing.
    """
    if why := missing(folder, which):
        raise RunError(why)


def message(folder: RunDir, which: str) -> str:
    """Return the error message for a missing checkpoint.

    Args:
        folder: Run directory.
        which: `"best"` (by validation) or `"last"`.
    """
    place = folder.checkpoints
    if not folder.records() and not (folder.path / PROGRESS).exists():
        return f"{folder.path} has no '{which}' checkpoint yet; resume it: {folder.resume_command}"
    if which == BEST and place.numbered():
        return f"{folder.path} has no best.npz any more; try --checkpoint last"
    lost = f"{BEST}.npz" if which == BEST else "step-*.npz"
    return (
        f"{place.path}/{lost} is missing; restore it, or train again: {folder.resume_command} "
        "--from-scratch"
    )
