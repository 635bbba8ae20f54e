import json

import numpy as np
import pytest

from rumcli import config
from rumcli.errors import ConfigError
from rumcli.tasks.char_lm import corpus, penn_treebank
from rumcli.tasks.char_lm.dataset import CharDataset, Content
from tests import small


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
    again = CharDataset.from_json(text.to_json()).reading(read, ["test"])
    assert list(again.classes) == ["test"]
    assert text.vocabulary.decode(again.classes["test"]) == read.test.tobytes()
    np.testing.assert_array_equal(again.classes["test"], text.classes["test"])


def test_symbol_missing_in_training_is_reported_with_its_position(tmp_path):
    folder = small.write_text(tmp_path / "text")
    (folder / "valid.txt").write_bytes(b"abcd\xffabcd")
    expected = r"text, validation text: the byte '\\xff' .* offset 4 .* --set task.min_count=1 "
    with pytest.raises(ConfigError, match=expected):
        CharDataset.of(corpus.read(folder), min_count=None)


def test_symbol_missing_in_training_is_unknown_by_default(tmp_path):
    folder = small.write_text(tmp_path / "text")
    plain = CharDataset.of(corpus.read(folder), min_count=None)
    (folder / "valid.txt").write_bytes(b"abcd\xffabcd")
    text = CharDataset.of(corpus.read(folder), config.CharactersConfig().min_count)
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
    assert text.changed(read, ["train", "validation", "test"]) == []
    other = corpus.read(small.write_text(tmp_path / "other", seed=1))
    assert text.changed(other, ["train", "test"]) == ["train", "test"]


def test_a_text_of_one_symbol_is_rejected(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a" * 100)
    with pytest.raises(ConfigError, match="has one symbol only"):
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
