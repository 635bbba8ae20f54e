"""Checkpoints of others: forged ones, other formats in their place, code in them, and bombs."""

import base64
import io
import json
import marshal
import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import strategies as st

from rumcli.errors import RunError
from rumcli.training import checkpoint
from rumcli.training.checkpoint import Checkpoint, CheckpointDir, DamagedError
from tests.hostile import bounded, strategies
from tests.hostile.cases import fuzz
from tests.hostile.outcomes import REFUSED, attempt
from tests.hostile.test_corpora import kinds, put

ARRAYS = {
    "model/000.kernel": np.arange(6.0, dtype="float32").reshape(2, 3),
    "optimizer/000.iteration": np.array(5),
}
PROGRESS = {"seconds": 1.5, "best": {"step": 5, "value": 0.5}}
MANIFEST = {"format": 1, "step": 5, "progress": PROGRESS}
DTYPES = ("float32", "int64", "bool", "complex64", "U3", "S3", "V3", "M8[s]", "f2", ">f8", "u1,U2")


def forged(manifest, arrays):
    """Write a checkpoint with a right digest, whatever is in it."""
    manifest = manifest if isinstance(manifest, dict) else {"format": 1, "all": manifest}
    manifest = {**manifest, "sha256": checkpoint._digest(arrays, manifest)}
    encoded = np.frombuffer(json.dumps(manifest).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **{"manifest": encoded, **arrays})
    return buffer.getvalue()


GOOD = forged(MANIFEST, ARRAYS)
arrays = st.dictionaries(
    st.sampled_from([*ARRAYS, "../../x", "/x", "a/" * 50, "\x1b[31m", "metrics/000.total"]),
    st.builds(
        lambda dtype, shape: np.zeros(shape, dtype),
        st.sampled_from(DTYPES),
        st.lists(st.integers(0, 3), max_size=4).map(tuple),
    ),
    max_size=3,
)
HEADERS = (
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }",
    b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 3), }",
    b"{'descr': '|V999999999', 'fortran_order': True, 'shape': (), }",
    b"{'descr': [('a', '<f8', (10**9,))], 'fortran_order': False, 'shape': (1,), }",
    b"{'descr': " + b"(" * 200 + b")" * 200 + b", 'fortran_order': False, 'shape': (1L,), }",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (2L,), }",
    b"__import__('os').system('touch code-has-run')",
    b"",
)


def npy(header, content=b""):
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


def zip_bytes(members, kind=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def load(place, content):
    """Load a checkpoint; a loaded one has the state that a resume needs."""
    path = place / "step-00000005.npz"
    path.write_bytes(content)
    found = attempt(checkpoint.load, path, around=place)
    if found is not REFUSED:
        assert type(found.step) is int
        assert found.step >= 0
        assert found.progress["seconds"] >= 0
        assert found.progress["best"] is None or isinstance(found.progress["best"]["step"], int)
        assert all(array.dtype != object for array in found.arrays.values())
    return found


@fuzz(fast=100, slow=5000, content=strategies.changed([GOOD]))
def test_a_checkpoint_with_changed_bytes_is_the_same_or_rejected(place, content):
    found = load(place, content)
    assert found is REFUSED or (found.step, found.progress) == (5, PROGRESS)


@fuzz(fast=100, slow=4000, manifest=strategies.replaced(MANIFEST), held=arrays)
def test_forged_checkpoint_is_loaded_or_rejected(place, manifest, held):
    load(place, forged(manifest, held))


@fuzz(
    fast=60,
    slow=3000,
    header=strategies.changed([*HEADERS, npy(HEADERS[0])[10:]]) | st.sampled_from(HEADERS),
    content=st.binary(max_size=20),
    name=st.sampled_from(["manifest.npy", "manifest", "a.npy", "../a.npy", ""]),
)
def test_array_with_a_forged_header_is_rejected(place, header, content, name):
    members = {"manifest.npy": npy(HEADERS[7]), name or "x": npy(header, content)}
    assert load(place, zip_bytes(members.items())) is REFUSED


NAMES = ("step-00000005.npz", "step-00000010.npz", "step-x.npz", "step-99999999999999999999.npz")
NAMES += ("step-100000000.npz", "step-.npz", "step-00000007.npz.part", "best.npz")


@fuzz(
    fast=40,
    slow=2000,
    there=st.dictionaries(
        st.sampled_from(NAMES), st.tuples(st.sampled_from([GOOD, b"", b"PK"]), kinds), max_size=5
    ),
)
def test_any_checkpoint_directory_is_loaded_or_rejected(place, there):
    for name, (content, kind) in there.items():
        put(place / name, content, kind)
    folder = CheckpointDir(place)
    found = attempt(folder.load_newest, around=place)
    attempt(folder.load_best, around=place)
    if found is REFUSED or found[0] is None:
        return
    try:
        folder.save(Checkpoint(20, ARRAYS, PROGRESS), keep=2)
    except OSError:  # as for a full disk; the caller reports it
        return
    assert folder.load_newest()[0].step == 20


class Runs:
    """A pickle that makes a file when it is loaded."""

    def __reduce__(self):
        return os.system, (f"touch {strategies.SENTINEL}",)


def keras_file():
    """Write what Keras saves: a model whose Lambda layer has code."""
    code = marshal.dumps(compile(f"open('{strategies.SENTINEL}', 'w')", "x", "exec"))
    function = {"class_name": "__lambda__", "config": {"code": base64.b64encode(code).decode()}}
    layers = [{"module": "keras.layers", "class_name": "Lambda", "config": {"function": function}}]
    model = {"module": "keras", "class_name": "Sequential", "config": {"layers": layers}}
    metadata = {"keras_version": "3.12.0"}
    names = {"metadata.json": metadata, "config.json": model, "model.weights.h5": {}}
    return zip_bytes([(name, json.dumps(content)) for name, content in names.items()])


def saved(save, *contents, **named):
    buffer = io.BytesIO()
    save(buffer, *contents, **named)
    return buffer.getvalue()


HELD = np.array([Runs()], dtype=object)
WITH_CODE = {
    "an array of objects": saved(np.savez, manifest=HELD),
    "objects beside a manifest": saved(np.savez, manifest=np.zeros(3, "u1"), a=HELD),
    "one array of objects": saved(np.save, HELD),
    "a pickle": pickle.dumps(Runs()),
    "a pickle in a zip, as PyTorch has it": zip_bytes([("archive/data.pkl", pickle.dumps(Runs()))]),
    "a pickle called an array": zip_bytes([("manifest.npy", pickle.dumps(Runs()))]),
    "a model of Keras with a Lambda layer": keras_file(),
}


@pytest.mark.parametrize("content", WITH_CODE.values(), ids=WITH_CODE)
@pytest.mark.parametrize("name", ["best.npz", "step-00000005.npz"])
def test_code_in_place_of_a_checkpoint_is_not_run(tmp_path, monkeypatch, content, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DamagedError):
        checkpoint.load(tmp_path / name)
    folder = CheckpointDir(tmp_path)
    with pytest.raises(RunError):
        folder.load_best() if name == "best.npz" else folder.load_newest()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_step_of_more_digits_is_newer(tmp_path):
    folder = CheckpointDir(tmp_path)
    for step in (99_999_999, 100_000_000):
        folder.save(Checkpoint(step, ARRAYS, PROGRESS), keep=2)
    assert folder.load_newest()[0].step == 100_000_000


def test_bombs_are_rejected_and_take_little_memory(tmp_path):
    said = bounded.outcomes(
        """
        import io, json, zipfile
        from pathlib import Path
        import numpy as np
        from rumcli.training import checkpoint
        def npy(shape, descr="<f8", content=b""):
            header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
            return b"\\x93NUMPY\\x01\\x00" + len(header).to_bytes(2, "little") + header + content
        def packed(kind, members):
            with zipfile.ZipFile("x", "w", kind, compresslevel=1) as archive:
                for name, content in members.items():
                    archive.writestr(name, content)
        def manifest(content):
            return {"manifest.npy": npy((len(content),), "|u1", content)}
        def overlapping():
            # Many entries of the directory that all mean the same bytes.
            packed(zipfile.ZIP_STORED, {"00000.npy": npy((2**17,), content=bytes(2**20))})
            whole = Path("x").read_bytes()
            start = whole.index(b"PK\\x01\\x02")
            entry, end = whole[start:-22], bytearray(whole[-22:])
            count = 2000
            end[8:10] = end[10:12] = count.to_bytes(2, "little")
            end[12:16] = (len(entry) * count).to_bytes(4, "little")
            entries = [entry.replace(b"00000", b"%05d" % n) for n in range(count)]
            Path("x").write_bytes(b"".join([whole[:start], *entries, bytes(end)]))
        MAKE = {
            "zeros, deflated": lambda: packed(
                zipfile.ZIP_DEFLATED, {"a.npy": npy((2**25,), content=bytes(2**28))}),
            "a declared size": lambda: packed(
                zipfile.ZIP_STORED, {"a.npy": npy((10**12,)), **manifest(b"{}")}),
            "a declared size of one element": lambda: packed(
                zipfile.ZIP_STORED, {"a.npy": npy((1,), "|V2000000000"), **manifest(b"{}")}),
            "a size that can be asked for": lambda: packed(
                zipfile.ZIP_STORED, {"a.npy": npy((10**8,)), **manifest(b"{}")}),
            "overlapping members": overlapping,
            "a deep manifest": lambda: packed(zipfile.ZIP_STORED, manifest(b"[" * 10**6)),
            "a manifest of one number": lambda: packed(zipfile.ZIP_STORED, manifest(b"9" * 10**6)),
        }
        for number, make in enumerate(MAKE.values()):
            make()
            Path("x").rename("x%d" % number)
        CALLS = {
            name: lambda number=number: checkpoint.load(Path("x%d" % number))
            for number, name in enumerate(MAKE)
        }
        """,
        tmp_path,
    )
    assert all(line.startswith("DamagedError: ") for line in said.values()), said
