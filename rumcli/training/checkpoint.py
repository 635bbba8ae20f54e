"""Checkpoints: one `.npz` each, written atomically, with a digest that is verified on loading.

Knows arrays and files, not models: `model_state` turns a model into arrays and back.
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

from rumcli import atomic_io, json_parser
from rumcli.errors import RunError
from rumcli.training import run_schemas

BEST = "best"
_FORMAT = 1
_MANIFEST = "manifest"
_NUMBERED = re.compile(r"step-([0-9]{8,18})\.npz")


class DamagedError(RunError):
    """A checkpoint file is not what was written."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after `step` steps.

    Args:
        step: Number of training steps done.
        arrays: All that changes as the run goes on, by name.
        progress: Plain values that go with it; must fit into JSON.
        records: Backup of the run's record, by file name; see `record_file`.
    """

    step: int
    arrays: Mapping[str, np.ndarray]
    progress: Mapping[str, Any]
    records: Mapping[str, Any] = field(default_factory=dict)


class CheckpointDir:
    """The checkpoints of a run: `step-00000100.npz` and so on, and `best.npz`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, checkpoint: Checkpoint, keep: int) -> Path:
        """Write a checkpoint, then delete all but the newest `keep`.

        Raises:
            OSError: If it can't be written; the others are untouched then.
        """
        path = self.path / f"step-{checkpoint.step:08d}.npz"
        _write(path, checkpoint)
        # Later ones are of a run that went on from before them, because they are damaged.
        earlier = [other for other in self.numbered() if _step(other) < checkpoint.step]
        for other in [other for other in self.numbered() if _step(other) > checkpoint.step]:
            other.unlink(missing_ok=True)
        for other in earlier[keep - 1 :]:
            other.unlink(missing_ok=True)
        return path

    def save_best(self, checkpoint: Checkpoint) -> Path:
        """Write `best.npz`."""
        path = self.path / f"{BEST}.npz"
        _write(path, checkpoint)
        return path

    def numbered(self) -> list[Path]:
        """Return the checkpoints by step, the newest first."""
        found = [path for path in self.path.glob("step-*.npz") if _NUMBERED.fullmatch(path.name)]
        return sorted(found, key=_step, reverse=True)

    @property
    def has_best(self) -> bool:
        """Whether there is a `best.npz`."""
        return (self.path / f"{BEST}.npz").exists()

    def clear(self) -> None:
        """Delete all checkpoints.

        Raises:
            OSError: If one can't be deleted.
        """
        for path in [*self.numbered(), self.path / f"{BEST}.npz"]:
            path.unlink(missing_ok=True)
        if self.path.is_dir():
            atomic_io.sync_directory(self.path)

    def load_newest(self) -> tuple[Checkpoint | None, list[str]]:
        """Load the newest checkpoint that is whole.

        Returns:
            It, or None if there is none at all, and one line for each damaged one passed over.

        Raises:
            RunError: If there are checkpoints, and all are damaged.
        """
        warnings: list[str] = []
        for path in self.numbered():
            try:
                return load(path), warnings
            except DamagedError as error:
                warnings.append(f"{error}; going back to the one before it")
        if warnings:
            raise RunError(
                f"every checkpoint in {self.path} is damaged; to begin anew: "
                f"rum train --preset {self.path.parent / 'config.yaml'}"
            )
        return None, warnings

    def load_best(self) -> Checkpoint | None:
        """Load `best.npz`; None if there is none.

        Raises:
            DamagedError: If it is not what was written.
        """
        return load(self.path / f"{BEST}.npz") if self.has_best else None


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and verify its digest.

    Raises:
        DamagedError: If the file is not what was written.
        RunError: If it can't be read, or a later version wrote it.
    """
    try:
        file = atomic_io.open_regular(path)
    except OSError as error:
        raise RunError(f"can't read checkpoint {path}: {error.strerror or error}") from error
    try:
        with file, warnings.catch_warnings():
            warnings.simplefilter("error")  # of arrays in an old form, which are not ours
            _check_sizes(file)
            manifest, arrays = _read(file)
        digest, version = manifest.pop("sha256"), manifest["format"]
        is_whole = digest == _digest(arrays, manifest)
    except Exception as error:  # whatever the readers of zip, arrays and JSON make of the bytes
        raise DamagedError(f"checkpoint {path} is damaged ({type(error).__name__})") from error
    if version != _FORMAT:
        raise RunError(f"checkpoint {path} has format {str(version)[:20]}, not {_FORMAT}")
    if not is_whole:
        raise DamagedError(f"checkpoint {path} is damaged (its digest does not match)")
    if not run_schemas.is_manifest(manifest):
        raise DamagedError(f"checkpoint {path} is damaged (its step or progress is none)")
    records_ = manifest.get("records", {})
    return Checkpoint(manifest["step"], arrays, manifest["progress"], records_)


def _check_sizes(file: IO[bytes]) -> None:
    """Make sure that a file unpacks to no more than it is long.

    Raises:
        zipfile.BadZipFile: If something in it is compressed, or two members share their bytes.
    """
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        is_packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
        if is_packed or sum(member.file_size for member in members) > file.seek(0, os.SEEK_END):
            raise zipfile.BadZipFile("packed, as no checkpoint is")
    file.seek(0)


def _read(file: IO[bytes]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    with np.load(file, allow_pickle=False) as archive:
        members = {name: archive[name] for name in archive.files}
    if not all(isinstance(array, np.ndarray) for array in members.values()):
        raise ValueError("a member is no array")
    # The first evaluation, and so the best one, may be NaN.
    return json_parser.parse(members.pop(_MANIFEST).tobytes(), allow_nan=True), members


def _step(path: Path) -> int:
    """Return the step in the name of one of the numbered files."""
    return int(path.stem.removeprefix("step-"))


def _write(path: Path, checkpoint: Checkpoint) -> None:
    manifest = run_schemas.Manifest(
        format=_FORMAT,
        step=checkpoint.step,
        progress=checkpoint.progress,
        records=checkpoint.records,
    ).model_dump(exclude_unset=True)
    manifest["sha256"] = _digest(checkpoint.arrays, manifest)
    encoded = np.frombuffer(json.dumps(manifest).encode(), dtype=np.uint8)
    members: dict[str, Any] = {_MANIFEST: encoded, **checkpoint.arrays}
    atomic_io.make_directory(path.parent, exist_ok=True)
    with atomic_io.replacing(path) as file:
        # Numbers only, by their types; NumPy before 2.2 has no `allow_pickle` here.
        np.savez(file, **members)


def _digest(arrays: Mapping[str, np.ndarray], manifest: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
