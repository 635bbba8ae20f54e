"""Checkpoint files: one `.npz` each, written atomically, with a digest verified on loading.

This module handles arrays and files only. `model_state` converts between models and arrays.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from rumcli import atomic_io, errors, parsing
from rumcli.errors import RunError
from rumcli.training import run_files

BEST = "best"
_FORMAT = 1
_MANIFEST = "manifest"
_NUMBERED = re.compile(r"step-([0-9]{8,18})\.npz")


class DamagedError(RunError):
    """Error for a checkpoint file with damaged content."""


@dataclass(frozen=True)
class Checkpoint:
    """State of a run after `step` steps.

    Args:
        step: Number of training steps done.
        arrays: Arrays of the training state, by name.
        progress: Fields of `SavedProgress`, serializable to JSON.
        records: Backups of the record files, by file name; see `record_file`.
    """

    step: int
    arrays: Mapping[str, np.ndarray]
    progress: Mapping[str, Any]
    records: Mapping[str, Any] = field(default_factory=dict)


class CheckpointDir:
    """Directory of a run's checkpoints: `step-00000100.npz` and so on, and `best.npz`.

    Args:
        path: Directory, which may be missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, checkpoint: Checkpoint, keep: int) -> Path:
        """Write a checkpoint, then delete all but the newest `keep`.

        Args:
            checkpoint: Checkpoint to write.
            keep: Number of checkpoints to keep.

        Returns:
            Path of the file.

        Raises:
            OSError: If the file cannot be written. The other checkpoints are then unchanged.
        """
        path = self.path / f"step-{checkpoint.step:08d}.npz"
        _write(path, checkpoint)
        # Later ones are damaged: the run resumed from an earlier checkpoint.
        later = [other for other in self.numbered() if _step(other) > checkpoint.step]
        earlier = [other for other in self.numbered() if _step(other) < checkpoint.step]
        for other in [*later, *earlier[keep - 1 :]]:
            other.unlink(missing_ok=True)
        return path

    def save_best(self, checkpoint: Checkpoint) -> Path:
        """Write `best.npz`."""
        path = self.path / f"{BEST}.npz"
        _write(path, checkpoint)
        return path

    def numbered(self) -> list[Path]:
        """Return the paths of the numbered checkpoints, newest first."""
        found = [path for path in self.path.glob("step-*.npz") if _NUMBERED.fullmatch(path.name)]
        return sorted(found, key=_step, reverse=True)

    @property
    def has_best(self) -> bool:
        """Whether `best.npz` exists."""
        return (self.path / f"{BEST}.npz").exists()

    def clear(self) -> None:
        """Delete all checkpoints.

        Raises:
            OSError: If a file cannot be deleted.
        """
        for path in [*self.numbered(), self.path / f"{BEST}.npz"]:
            path.unlink(missing_ok=True)
        if self.path.is_dir():
            atomic_io.sync_directory(self.path)

    def load_newest(self) -> tuple[Checkpoint | None, list[str]]:
        """Load the newest intact checkpoint.

        Returns:
            The checkpoint, or None if there are none; and one warning for each damaged file that
            was skipped.

        Raises:
            RunError: If all checkpoints are damaged.
        """
        warnings: list[str] = []
        for path in self.numbered():
            try:
                return load(path), warnings
            except DamagedError as error:
                warnings.append(f"{error}; resuming from the previous one")
        if warnings:
            raise RunError(
                f"all checkpoints in {self.path} are damaged; to start a new run: "
                f"{errors.call('train', preset=self.path.parent / 'config.yaml')}"
            )
        return None, warnings

    def load_best(self) -> Checkpoint | None:
        """Load `best.npz`; None if it does not exist.

        Raises:
            DamagedError: If the file is damaged.
        """
        return load(self.path / f"{BEST}.npz") if self.has_best else None


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and verify its digest.

    Args:
        path: Path of the file.

    Returns:
        The checkpoint.

    Raises:
        DamagedError: If the file is damaged.
        RunError: If the file cannot be read, or has the format of a later version.
    """
    try:
        file = atomic_io.open_regular(path)
    except OSError as error:
        raise RunError(f"can't read checkpoint {path}: {error.strerror or error}") from error
    try:
        with file, warnings.catch_warnings():
            warnings.simplefilter("error")  # obsolete array formats, which are never written here
            _check_sizes(file)
            manifest, arrays = _read(file)
        digest, version = manifest.pop("sha256"), manifest["format"]
        is_intact = digest == _digest(arrays, manifest)
    except Exception as error:  # zip, array and JSON readers raise many types
        raise DamagedError(f"checkpoint {path} is damaged ({type(error).__name__})") from error
    if version != _FORMAT:
        raise RunError(f"checkpoint {path} has format {str(version)[:20]}; expected {_FORMAT}")
    if not is_intact:
        raise DamagedError(f"checkpoint {path} is damaged (its digest does not match)")
    if not run_files.is_manifest(manifest):
        raise DamagedError(f"checkpoint {path} is damaged (invalid step or progress)")
    records = manifest.get("records", {})
    return Checkpoint(manifest["step"], arrays, manifest["progress"], records)


def _check_sizes(file: IO[bytes]) -> None:
    """Check that the unpacked members of a file take no more bytes than the file itself.

    Raises:
        zipfile.BadZipFile: If a member is compressed, or members overlap.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        is_packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
        if is_packed or sum(member.file_size for member in members) > file.seek(0, os.SEEK_END):
            raise zipfile.BadZipFile("compressed or overlapping members")
    file.seek(0)


def _read(file: IO[bytes]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    with np.load(file, allow_pickle=False) as archive:
        members = {name: archive[name] for name in archive.files}
    if not all(isinstance(array, np.ndarray) for array in members.values()):
        raise ValueError("a member is not an array")
    # The first evaluation, and so the best value, may be NaN.
    return parsing.parse_json(members.pop(_MANIFEST).tobytes(), allow_nan=True), members


def _step(path: Path) -> int:
    """Return the step in the name of a numbered checkpoint."""
    return int(path.stem.removeprefix("step-"))


def _write(path: Path, checkpoint: Checkpoint) -> None:
    content = {
        "format": _FORMAT,
        "step": checkpoint.step,
        "progress": checkpoint.progress,
        "records": checkpoint.records,
    }
    manifest = run_files.Manifest.model_validate(content).model_dump(exclude_unset=True)
    manifest["sha256"] = _digest(checkpoint.arrays, manifest)
    encoded = np.frombuffer(json.dumps(manifest).encode(), dtype=np.uint8)
    members: dict[str, Any] = {_MANIFEST: encoded, **checkpoint.arrays}
    atomic_io.make_directory(path.parent, exist_ok=True)
    with atomic_io.replacing(path) as file:
        # All arrays are numeric; `allow_pickle` requires NumPy 2.2.
        np.savez(file, **members)


def _digest(arrays: Mapping[str, np.ndarray], manifest: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
