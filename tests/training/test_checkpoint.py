import json
import pathlib
import tempfile
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.errors import RunError
from rumcli.training import checkpoint as module
from rumcli.training.checkpoint import Checkpoint, CheckpointDir, DamagedError, load

ARRAYS = {"a/0": np.arange(12.0, dtype="float32").reshape(3, 4), "b": np.array(7, dtype="int64")}


def checkpoint(step=5):
    return Checkpoint(step, ARRAYS, {"seconds": 1.5, "best": None})


def same(one, other):
    return (
        one.step == other.step
        and one.progress == other.progress
        and one.arrays.keys() == other.arrays.keys()
        and all(
            np.array_equal(one.arrays[name], other.arrays[name])
            and one.arrays[name].dtype == other.arrays[name].dtype
            for name in one.arrays
        )
    )


def test_saved_checkpoint_is_loaded_unchanged(tmp_path):
    path = CheckpointDir(tmp_path).save(checkpoint(), keep=2)
    assert same(load(path), checkpoint())


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    run_dir = CheckpointDir(tmp_path)
    for step in (5, 10, 15):
        run_dir.save(checkpoint(step), keep=2)
    assert [path.name for path in run_dir.numbered()] == ["step-00000015.npz", "step-00000010.npz"]


def test_load_returns_none_without_checkpoints(tmp_path):
    assert CheckpointDir(tmp_path).load_newest() == (None, [])
    assert CheckpointDir(tmp_path).load_best() is None


@pytest.mark.parametrize("with_best", [False, True])
def test_all_checkpoints_are_deleted_at_once(tmp_path, with_best):
    run_dir = CheckpointDir(tmp_path / "checkpoints")
    run_dir.clear()  # the directory does not exist yet
    run_dir.save(checkpoint(5), keep=2)
    run_dir.save(checkpoint(10), keep=2)
    if with_best:
        run_dir.save_best(checkpoint(5))
    assert run_dir.has_best == with_best
    run_dir.clear()
    assert list(run_dir.path.iterdir()) == []


def test_a_checkpoint_that_cannot_be_read_is_reported_with_the_cause(tmp_path):
    path = tmp_path / "step-00000005.npz"
    with pytest.raises(RunError) as caught:
        load(path)
    assert str(caught.value) == f"can't read checkpoint {path}: No such file or directory"


def test_previous_checkpoint_replaces_a_damaged_one_with_a_warning(tmp_path):
    run_dir = CheckpointDir(tmp_path)
    run_dir.save(checkpoint(5), keep=2)
    run_dir.save(checkpoint(10), keep=2).write_bytes(b"rubbish")
    found, warnings = run_dir.load_newest()
    assert found.step == 5
    assert len(warnings) == 1
    assert "step-00000010.npz is damaged" in warnings[0]


def test_damaged_checkpoint_does_not_count_as_kept(tmp_path):
    run_dir = CheckpointDir(tmp_path)
    for step in (5, 10):
        run_dir.save(checkpoint(step), keep=2)
    run_dir.save(checkpoint(20), keep=2).write_bytes(b"rubbish")
    run_dir.save(checkpoint(15), keep=2)
    assert [path.name for path in run_dir.numbered()] == ["step-00000015.npz", "step-00000010.npz"]


def test_load_fails_if_all_checkpoints_are_damaged(tmp_path):
    run_dir = CheckpointDir(tmp_path)
    run_dir.save(checkpoint(5), keep=2).write_bytes(b"")
    with pytest.raises(RunError, match="all checkpoints"):
        run_dir.load_newest()


@given(data=st.data())
def test_changed_byte_is_detected_or_changes_nothing(data):
    with tempfile.TemporaryDirectory() as place:
        path = CheckpointDir(pathlib.Path(place)).save(checkpoint(), keep=2)
        content = bytearray(path.read_bytes())
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        try:
            found = load(path)
        except DamagedError:
            return
        assert same(found, checkpoint())


@given(data=st.data())
def test_truncated_file_is_detected(data):
    with tempfile.TemporaryDirectory() as place:
        path = CheckpointDir(pathlib.Path(place)).save(checkpoint(), keep=2)
        content = path.read_bytes()
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
        with pytest.raises(DamagedError):
            load(path)


@pytest.mark.parametrize(
    ("step", "progress"),
    [
        (-1, {"seconds": 1.0, "best": None}),
        (10**30, {"seconds": 1.0, "best": None}),
        ("5", {"seconds": 1.0, "best": None}),
        (5, {}),
        (5, []),
        (5, {"seconds": "long", "best": None}),
        (5, {"seconds": -1.0, "best": None}),
        (5, {"seconds": 1.0, "best": 3}),
        (5, {"seconds": 1.0, "best": {"step": 5}}),
    ],
    ids=str,
)
def test_valid_file_without_a_resumable_state_is_damaged(tmp_path, step, progress):
    path = tmp_path / "step-00000005.npz"
    manifest = {"format": 1, "step": step, "progress": progress}
    manifest["sha256"] = module._digest({}, manifest)
    np.savez(path, manifest=np.frombuffer(json.dumps(manifest).encode(), np.uint8))
    with pytest.raises(DamagedError, match="invalid step or progress"):
        load(path)


def test_a_compressed_file_is_rejected(tmp_path):
    path = CheckpointDir(tmp_path).save(checkpoint(), keep=2)
    with np.load(path) as archive:
        np.savez_compressed(path, **archive)
    with pytest.raises(DamagedError):
        load(path)


def test_overlapping_members_are_rejected(tmp_path):
    path = CheckpointDir(tmp_path).save(checkpoint(), keep=2)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("c.npy", archive.read("b.npy"))  # or it would not write its directory
        archive.filelist *= 20
    with pytest.raises(DamagedError, match="BadZipFile"):
        load(path)


def test_pickled_file_is_rejected(tmp_path):
    path = tmp_path / "step-00000001.npz"
    np.savez(path, manifest=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DamagedError):
        load(path)
