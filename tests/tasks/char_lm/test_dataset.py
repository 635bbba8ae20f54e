""""""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.errors import ConfigError
from rumcli.tasks.char_lm import corpus, penn_treebank
from rumcli.tasks.char_lm.config import CharactersConfig
from rumcli.tasks.char_lm.dataset import BPTTWindows, CharDataset, Content
from tests import small

sizes = st.integers(1, 12)


@pytest.fixture
def read(tmp_path):
    return corpus.read(small.write_text(tmp_path / "text"))


def test_metadata_are_restored_from_json_without_the_classes(read):
    text = CharDataset.of(read, min_count=None)
    again = CharDataset.from_json(json.loads(json.dumps(text.to_json())))
    assert again.vocabulary == text.vocabulary
    assert again.contents == text.contents
    assert again.unigram_entropy == text.unigram_entropy
    assert again.classes == {}


def test_a_split_is_read_in_the_vocabulary_of_the_training_text(read):
    text = CharDataset.of(read, min_count=None)
    again = CharDataset.from_json(text.to_json()).with_splits(read, ["test"])
    assert list(again.classes) == ["test"]
    assert text.vocabulary.decode(again.classes["test"]) == read.test.tobytes()
    np.testing.assert_array_equal(again.classes["test"], text.classes["test"])


def test_symbol_missing_in_training_is_reported_with_its_position(tmp_path):
    folder = small.write_text(tmp_path / "text")
    (folder / "valid.txt").write_bytes(b"abcd\xffabcd")
    expected = r"text, validation text: the byte '\\xff' .* offset 4 .* task.min_count=1 "
    with pytest.raises(ConfigError, match=expected):
        CharDataset.of(corpus.read(folder), min_count=None)


def test_symbol_missing_in_training_is_unknown_by_default(tmp_path):
    folder = small.write_text(tmp_path / "text")
    plain = CharDataset.of(corpus.read(folder), min_count=None)
    (folder / "valid.txt").write_bytes(b"abcd\xffabcd")
    text = CharDataset.of(corpus.read(folder), CharactersConfig().min_count)
    assert text.vocabulary.symbols == plain.vocabulary.symbols
    assert text.classes["validation"][4] == text.vocabulary.size - 1 == plain.vocabulary.size
    assert text.unigram_entropy == plain.unigram_entropy


def test_penn_treebank_has_no_unknown_symbol_by_default(read, monkeypatch):
    files = [
        penn_treebank.TextFile(split, len(read.split(split)), read.digest(split))
        for split in ("train", "validation", "test")
    ]
    monkeypatch.setattr(penn_treebank, "FILES", tuple(files))
    assert not CharDataset.of(read, "auto").vocabulary.has_unknown
    assert CharDataset.of(read, 1).vocabulary.has_unknown
    monkeypatch.setattr(penn_treebank, "FILES", (*files[:2], penn_treebank.TextFile("", 1, "")))
    assert CharDataset.of(read, "auto").vocabulary.has_unknown


def test_changed_splits_are_named(read, tmp_path):
    text = CharDataset.of(read, min_count=None)
    assert text.changed_splits(read, ["train", "validation", "test"]) == []
    other = corpus.read(small.write_text(tmp_path / "other", seed=1))
    assert text.changed_splits(other, ["train", "test"]) == ["train", "test"]


def test_a_text_of_one_symbol_is_rejected(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a" * 100)
    with pytest.raises(ConfigError, match="has a single symbol"):
        CharDataset.of(corpus.read(path), min_count=None)


def test_penn_treebank_is_identified_by_all_three_texts(read):
    text = CharDataset.of(read, min_count=None)
    assert not text.is_penn_treebank
    known = {
        split: Content(file.size, file.sha256)
        for split, file in zip(("train", "validation", "test"), penn_treebank.FILES, strict=True)
    }
    assert CharDataset("", text.vocabulary, 4.3, known).is_penn_treebank
    other_test = {**known, "test": text.contents["test"]}
    assert not CharDataset("", text.vocabulary, 4.3, other_test).is_penn_treebank


@pytest.mark.parametrize(
    "change",
    [
        {"splits": {}},
        {"splits": {"train": {"size": 3}}},
        {"unigram_entropy": "much"},
        {"unigram_entropy": None},
        {"symbols": [3, 2]},
    ],
    ids=str,
)
def test_invalid_metadata_of_a_text_are_rejected(read, change):
    content = {**CharDataset.of(read, min_count=None).to_json(), **change}
    with pytest.raises(ConfigError):
        CharDataset.from_json(content)
    with pytest.raises(ConfigError):
        CharDataset.from_json([content])


def numbered(length, streams, steps):
    """Make windows over a text in which every character is its own place."""
    return BPTTWindows(np.arange(length, dtype=np.int32), streams, steps)


@given(streams=sizes, steps=sizes, windows=sizes, data=st.data())
def test_training_windows_of_a_stream_are_consecutive_text(streams, steps, windows, data):
    per_stream = windows * steps + data.draw(st.integers(0, steps - 1))
    length = streams * per_stream + 1 + data.draw(st.integers(0, streams - 1))
    text = numbered(length, streams, steps)
    assert text.windows_per_epoch == windows
    inputs = np.concatenate([text.training_window(n)[0] for n in range(windows)], axis=1)
    starts = np.arange(streams) * ((length - 1) // streams)
    assert np.array_equal(inputs, starts[:, None] + np.arange(windows * steps))


@given(streams=sizes, steps=sizes, length=st.integers(150, 400), number=st.integers(0, 1000))
def test_a_training_target_is_the_character_after(streams, steps, length, number):
    inputs, targets = numbered(length, streams, steps).training_window(number)
    assert inputs.shape == targets.shape == (streams, steps)
    assert inputs.dtype == targets.dtype == np.int32
    assert np.array_equal(targets, inputs + 1)


@given(streams=sizes, steps=sizes, length=st.integers(150, 400))
def test_no_target_is_trained_on_twice_in_an_epoch(streams, steps, length):
    text = numbered(length, streams, steps)
    targets = [text.training_window(n)[1].ravel() for n in range(text.windows_per_epoch)]
    targets = np.concatenate(targets)
    assert len(np.unique(targets)) == len(targets)
    assert length - 1 - len(targets) < streams * steps  # the skipped symbols


def test_after_the_last_training_window_comes_the_first():
    text = numbered(100, 3, 5)
    for number in range(text.windows_per_epoch):
        again = text.training_window(number + 7 * text.windows_per_epoch)
        assert np.array_equal(text.training_window(number), again)


@given(streams=sizes, steps=sizes, length=st.integers(2, 400))
def test_evaluation_scores_every_character_but_the_first_once(streams, steps, length):
    text = numbered(length, streams, steps)
    scored = []
    for number in range(text.evaluation_windows):
        inputs, targets, weights = text.evaluation_window(number)
        assert inputs.shape == targets.shape == weights.shape == (streams, steps)
        assert (inputs.dtype, targets.dtype, weights.dtype) == (np.int32, np.int32, np.float32)
        assert set(weights.ravel()) <= {0.0, 1.0}
        assert np.array_equal(targets[weights == 1], inputs[weights == 1] + 1)
        assert not inputs[weights == 0].any()
        assert not targets[weights == 0].any()
        scored.append(targets[weights == 1])
    assert sorted(np.concatenate(scored)) == list(range(1, length))


@given(streams=sizes, steps=sizes, content=st.binary(min_size=2, max_size=400))
def test_evaluation_streams_are_the_text_in_order_with_pads_at_their_ends(streams, steps, content):
    text = BPTTWindows(np.frombuffer(content, dtype=np.uint8), streams, steps)
    windows = [text.evaluation_window(n) for n in range(text.evaluation_windows)]
    targets, weights = (np.concatenate([w[i] for w in windows], axis=1) for i in (1, 2))
    assert (np.diff(weights, axis=1) <= 0).all()
    assert bytes(targets[weights == 1].astype(np.uint8)) == content[1:]


def test_a_text_that_fills_one_window_of_every_stream_is_long_enough():
    text = numbered(128 * 150 + 1, 128, 150)
    assert text.windows_per_epoch == 1
    assert text.training_window(0)[1][-1, -1] == 128 * 150


@pytest.mark.parametrize("length", [0, 1, 2, 128 * 150])
def test_text_shorter_than_one_window_per_stream_is_rejected(length):
    with pytest.raises(ConfigError) as error:
        numbered(length, 128, 150).training_window(0)
    assert str(error.value) == (
        f"the training text has {length:,} characters; expected at least batch_size × length + 1 "
        "= 19,201: lower train.batch_size (128) or task.bptt_steps (150)"
    )


@pytest.mark.parametrize("length", [0, 1])
def test_text_without_a_target_is_rejected(length):
    with pytest.raises(ConfigError, match="expected at least 2"):
        _ = numbered(length, 2, 2).evaluation_windows


@pytest.mark.parametrize("number", [-1, 5])
def test_no_evaluation_window_exists_beyond_the_last(number):
    text = numbered(11, 2, 1)
    assert text.evaluation_windows == 5
    with pytest.raises(IndexError, match=f"window {number} of 5"):
        text.evaluation_window(number)


@pytest.mark.parametrize("window", ["training_window", "evaluation_window"])
def test_window_does_not_share_memory_with_the_text(window):
    text = numbered(100, 2, 3)
    for array in getattr(text, window)(0):
        array[:] = 0
    assert text.text.tolist() == list(range(100))
