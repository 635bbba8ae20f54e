"""Untrusted texts: directories and files, compressed ones, and stored metadata of a text."""

import gzip
import os

from hypothesis import strategies as st

from rumcli import config
from rumcli.tasks.char_lm import corpus
from rumcli.tasks.char_lm.dataset import CharDataset
from rumcli.training import dataset_binding
from tests.hostile import bounded, strategies
from tests.hostile.cases import fuzz
from tests.hostile.outcomes import REFUSED, attempt, rum

TEXT = b"abcd abcd \nabcd" * 30
NAMES = (
    *("train.txt", "valid.txt", "test.txt", "train", "x.validation.raw", "train.txt.gz", "test.gz"),
    *("valid.zip", ".train.txt", "train test.txt", "TRAIN.TXT", "-rf", "a\nb.test", "\udcfftrain"),
)
contents = (
    st.binary(max_size=400)
    | strategies.changed([TEXT, gzip.compress(TEXT)])
    | st.sampled_from([b"", b"a", b"aa", b"a" * 500, TEXT, gzip.compress(TEXT), gzip.compress(b"")])
)
# What may be in a file's place: a folder, a link that leads nowhere, to itself, out of the folder
# or to a device, and a pipe without a writer.
kinds = st.sampled_from(["file"] * 10 + ["folder", "nowhere", "loop", "device", "pipe"])


def put(path, content, kind="file"):
    """Put something at a path; nothing if it is taken."""
    if os.path.lexists(path):
        return
    if kind == "file":
        path.write_bytes(content)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"nowhere": "no/where", "loop": path.name, "device": "/dev/zero"}[kind])


def train_on(place, data, unknown):
    """Load a text as `rum train` does; an accepted text has windows."""
    settings = ["train.batch_size=2", "task.bptt_steps=4", f"task.min_count={unknown}"]
    run = config.build("ptb", settings, {("task", "data"): str(data)})
    found = attempt(dataset_binding.for_training, run, None, around=place)
    assert found is REFUSED or isinstance(found, CharDataset)


@fuzz(
    fast=60,
    slow=2500,
    files=st.dictionaries(st.sampled_from(NAMES), st.tuples(contents, kinds), max_size=5),
    unknown=st.sampled_from(["null", 1, 3]),
)
def test_a_folder_of_texts_is_read_or_rejected(place, files, unknown):
    for name, (content, kind) in files.items():
        put(place / name, content, kind)
    train_on(place, place, unknown)


@fuzz(
    fast=60,
    slow=2000,
    name=st.sampled_from(NAMES),
    content=contents,
    kind=kinds,
    unknown=st.sampled_from(["null", 1, 3]),
)
def test_single_file_is_read_or_rejected(place, name, content, kind, unknown):
    put(place / name, content, kind)
    train_on(place, place / name, unknown)


@fuzz(fast=40, slow=1000, path=strategies.texts)
def test_any_path_is_read_or_rejected(place, path):
    attempt(corpus.read, place / path.lstrip("/~"), around=place)


@fuzz(fast=20, slow=300, name=st.sampled_from(NAMES[:8]), content=contents, kind=kinds)
def test_command_line_reports_errors_in_one_line(place, name, content, kind):
    put(place / name, content, kind)
    rum("train", "ptb", "--data", place, "--out", place / name / "x", around=place)


REMEMBERED = CharDataset.of(
    corpus.Corpus("x", *[corpus.np.frombuffer(TEXT, "uint8")] * 3), 1
).to_json()
REMEMBERED = {**REMEMBERED, "splits": {k: dict(v) for k, v in REMEMBERED["splits"].items()}}


@fuzz(fast=60, slow=4000, content=strategies.replaced(REMEMBERED))
def test_stored_text_metadata_are_accepted_or_rejected(place, content):
    found = attempt(CharDataset.from_json, content, around=place)
    if found is not REFUSED:
        assert CharDataset.from_json(found.to_json()).to_json() == found.to_json()


def test_compressed_text_that_exceeds_the_limit_is_rejected(tmp_path):
    said = bounded.outcomes(
        """
        import gzip
        from pathlib import Path
        from rumcli.tasks.char_lm import corpus
        corpus._LARGEST_UNPACKED = 2**24
        Path("x.gz").write_bytes(gzip.compress(bytes(2**28), 1))
        CALLS = {"zeros": lambda: corpus.read(Path("x.gz"))}
        """,
        tmp_path,
    )
    assert "unpacks to more than" in said["zeros"]
