"""Untrusted bAbI files, plain and compressed, and the stored metadata of a run's stories."""

import gzip

from hypothesis import strategies as st

from rumcli import config
from rumcli.tasks.babi import stories as babi_stories
from rumcli.tasks.babi.dataset import BabiDataset, StoryCollection
from rumcli.tasks.babi.stories import to_text
from rumcli.training import dataset_binding
from tests import babi
from tests.hostile import bounded, strategies
from tests.hostile.cases import fuzz
from tests.hostile.outcomes import REFUSED, attempt, rum

TEXTS = [to_text(babi.make_stories(count), 1).encode() for count in (1, 3, 12)]
TRAIN, TEST = "qa1_single-supporting-fact_train.txt", "qa1_single-supporting-fact_test.txt"
PIECES = (
    *(
        "1 ",
        "2 ",
        "3 ",
        "0 ",
        "-1 ",
        "01 ",
        "999999999 ",
        "1e9 ",
        "² ",
        "١ ",
        "\t",
        "\n",
        "\r",
        "\r\n",
    ),
    *("Mary went to the garden.", "Where is Mary?", "?", ".", "garden", "\t1", "\t1 2", "\t9", " "),
    *(
        "\ufeff",
        "\u2028",
        "\x85",
        "\x0b",
        "\x1c",
        "İ",
        "ß",
        "\u0301",
        "。",
        "a" * 1001,
        *strategies.TEXTS,
    ),
)


def parse_twice(place, content):
    """Read stories; those that are read are written and read as the same ones."""
    found = attempt(babi_stories.parse_stories, content, "x", around=place)
    if found is not REFUSED:
        assert babi_stories.parse_stories(to_text(found, 1).encode(), "again") == found
    return found


@fuzz(fast=100, slow=5000, content=strategies.changed(TEXTS))
def test_stories_with_changed_bytes_are_read_or_rejected(place, content):
    parse_twice(place, content)


@fuzz(fast=60, slow=4000, pieces=st.lists(st.sampled_from(PIECES), max_size=20))
def test_pieces_of_stories_are_read_or_rejected(place, pieces):
    parse_twice(place, "".join(pieces).encode(errors="surrogatepass"))


@fuzz(
    fast=40,
    slow=1500,
    train=strategies.changed(TEXTS),
    test=st.sampled_from(TEXTS) | strategies.changed(TEXTS),
    is_packed=st.booleans(),
    level=st.sampled_from(["words", "sentences"]),
)
def test_run_accepts_or_rejects_stories(place, train, test, is_packed, level):
    end = ".gz" if is_packed else ""
    for name, content in ((TRAIN, train), (TEST, test)):
        (place / (name + end)).write_bytes(gzip.compress(content, 1) if is_packed else content)
    run = config.build("babi", [f"task.input_level={level}"], {("task", "data"): str(place)})
    attempt(dataset_binding.for_training, run, None, around=place)


@fuzz(fast=20, slow=500, content=strategies.changed([gzip.compress(text) for text in TEXTS]))
def test_a_packed_file_with_changed_bytes_is_read_or_rejected(place, content):
    path = place / f"{TEST}.gz"
    path.write_bytes(content)
    attempt(babi_stories.read_subtask, path, 1, None, ["test"], around=place)


REMEMBERED = BabiDataset.of(
    StoryCollection("x", {s: babi.make_stories(4) for s in ("train", "validation", "test")})
).to_json()
REMEMBERED["sizes"] = dict(REMEMBERED["sizes"])


@fuzz(fast=60, slow=3000, content=strategies.replaced(REMEMBERED))
def test_stored_story_metadata_are_accepted_or_rejected(place, content):
    found = attempt(BabiDataset.from_json, content, around=place)
    if found is not REFUSED:
        collection = StoryCollection("y", {"test": babi.make_stories(2)})
        attempt(found.with_splits, collection, ["test"], around=place)


def test_files_that_grow_in_memory_are_rejected(tmp_path):
    said = bounded.outcomes(
        """
        import gzip
        from pathlib import Path
        from rumcli.tasks.babi import stories as babi_stories
        from rumcli.tasks.babi.dataset import BabiDataset, StoryCollection
        def one_story_of_many_questions():
            lines = ("%d A.\\n%d b?\\tc\\t1\\n" % (n, n + 1) for n in range(1, 100000, 2))
            return "".join(lines).encode()
        CONTENTS = {
            "one story of many questions": one_story_of_many_questions,
            "zeros": lambda: gzip.compress(bytes(2**28), 1),
            "no end of line": lambda: b"1 " + b"a" * 2**25,
        }
        def read(name):
            path = Path("qa1_train.txt.gz" if name == "zeros" else "qa1_train.txt")
            path.write_bytes(CONTENTS[name]())
            found = babi_stories.read_subtask(path, 1).stories["train"]
            BabiDataset.of(
                StoryCollection("x", dict.fromkeys(["train", "validation", "test"], found)))
        CALLS = {name: lambda name=name: read(name) for name in CONTENTS}
        """,
        tmp_path,
        most_mib=700,
    )
    assert "exceed the memory limit" in said["one story of many questions"]
    assert all(line.startswith("ConfigError: ") for line in said.values()), said


def test_too_many_words_are_rejected(tmp_path, monkeypatch):
    place = tmp_path / "place"
    place.mkdir()
    words = [f"w{number}" for number in range(40_000)]
    lines = [" ".join(words[start : start + 100]) for start in range(0, len(words), 100)]
    text = "".join(f"{number} {line}.\n" for number, line in enumerate(lines, 1))
    text += f"{len(lines) + 1} what is it?\tw1\t1\n"
    for name in (TRAIN, TEST):
        (place / name).write_text(text * 2)
    monkeypatch.chdir(place)
    _, _, said = rum("train", "babi", "--data", place, around=place)
    assert "different words; expected at most 32,767" in said
