import gzip
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.errors import ConfigError
from rumcli.tasks.char_lm import corpus
from rumcli.tasks.char_lm.corpus import CharVocabulary, unigram_entropy
from tests.assertions import assert_error
from tests.directories import write_files
from tests.marks import needs_pipes

PTB = Path(__file__).parents[4] / "shared" / "data" / "ptb"
NOT_UTF8 = b"caf\xe9 \xff\xfe\x00\r\n"

texts = st.binary(min_size=1, max_size=300)


def as_array(content):
    return np.frombuffer(content, dtype=np.uint8)


# Reading


def test_directory_has_a_file_of_any_bytes_for_each_split(tmp_path):
    write_files(
        tmp_path, {"my.train.txt": NOT_UTF8, "my.valid.raw": b"ab", "test": b"cd", "README": b"x"}
    )
    text = corpus.read(tmp_path)
    assert text.source == str(tmp_path)
    assert text.split("train").tobytes() == NOT_UTF8
    assert text.split("validation").tobytes() == b"ab"
    assert text.split("test").tobytes() == b"cd"
    assert text.train.dtype == np.uint8
    assert text.digest("train") == hashlib.sha256(NOT_UTF8).hexdigest()


@pytest.mark.parametrize(
    "name",
    [
        "wiki.VALIDATION.raw",
        "valid",
        "a-valid_2.txt",
        "x.valid.gz",
        "val.txt",
        "dev.txt",
        "wiki.valid.tokens",
        "dev.raw.gz",
    ],
)
def test_word_in_the_file_name_selects_the_split(tmp_path, name):
    # Given names that have the words as parts of others
    write_files(
        tmp_path,
        {"train.txt": b"ab", "test.txt": b"cd", "latest": b"no", "invalid": b"no", "value": b"no"},
    )
    (tmp_path / ".valid.txt").write_bytes(b"hidden")
    (tmp_path / "valid_files").mkdir()
    packed = gzip.compress(b"ef") if name.endswith(".gz") else b"ef"
    (tmp_path / name).write_bytes(packed)
    assert corpus.read(tmp_path).validation.tobytes() == b"ef"


def test_wikitext_file_names_are_recognized(tmp_path):
    write_files(tmp_path, {f"wiki.{word}.tokens": b"ab" for word in ("train", "valid", "test")})
    assert corpus.read(tmp_path).train.tobytes() == b"ab"


def test_a_byte_order_mark_and_line_ends_are_bytes_of_the_text(tmp_path):
    content = b"\xef\xbb\xbfab\r\n"
    write_files(tmp_path, {"train": content, "val": content, "test": content})
    assert corpus.read(tmp_path).validation.tobytes() == content


@given(content=st.binary(min_size=40, max_size=400))
def test_single_file_is_split_90_5_5_without_losing_a_byte(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "book"
    path.write_bytes(content)
    text = corpus.read(path)
    assert b"".join(text.split(s).tobytes() for s in ("train", "validation", "test")) == content
    assert len(text.train) == len(content) * 9 // 10
    assert len(text.validation) == len(content) // 20
    assert len(text.test) >= 2


def test_compressed_file_is_unpacked(tmp_path):
    path = tmp_path / "book.gz"
    path.write_bytes(gzip.compress(bytes(range(100))))
    assert corpus.read(path).train.tolist() == list(range(90))


def test_text_is_read_only(tmp_path):
    write_files(tmp_path, {"train": b"ab", "valid.gz": gzip.compress(b"cd"), "test": b"ef"})
    for split in ("train", "validation", "test"):
        with pytest.raises(ValueError, match="read-only"):
            corpus.read(tmp_path).split(split)[0] = 1


def test_an_unknown_split_is_an_error(tmp_path):
    write_files(tmp_path, {"train": b"ab", "valid": b"cd", "test": b"ef"})
    with pytest.raises(ValueError, match="unknown split 'dev'; splits: train, validation, test"):
        corpus.read(tmp_path).split("dev")


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (
            {},
            "D has no train or validation or test text; expected train.txt and valid.txt and test",
        ),
        (
            {"train": b"ab", "test": b"ab"},
            "D has no validation text; expected valid.txt, or any name that has one of these as a "
            "word (validation: valid, validation, val, dev), as in wiki.valid.tokens",
        ),
        (
            {"a.train": b"ab", "b.train": b"ab", "valid": b"ab", "test": b"ab"},
            "D has 2 files for the train text: a.train, b.train; keep only one of them",
        ),
        ({"train": b"ab", "valid-test": b"ab"}, "D: the name valid-test contains the words of two"),
        ({"train": b"ab", "valid": b"", "test": b"ab"}, "D/valid is empty; expected at least 2"),
        ({"train": b"ab", "valid": b"a", "test": b"ab"}, "D/valid has 1 byte; expected at least 2"),
        (
            {"train.zip": b"PK", "valid": b"ab", "test": b"ab"},
            "D/train.zip is an archive or compressed; unpack it",
        ),
        (
            {"train.gz": b"not packed", "valid": b"ab", "test": b"ab"},
            "can't unpack D/train.gz: Not a gzipped file",
        ),
    ],
)
def test_directory_without_a_text_is_rejected(tmp_path, contents, expected):
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    assert_error(lambda: corpus.read(tmp_path), expected.replace("D", str(tmp_path), 1))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty; a single file is split 90/5/5 and needs at least 40 bytes"),
        (b"x" * 39, "has 39 bytes; a single file is split 90/5/5 and needs at least 40 bytes"),
    ],
)
def test_file_that_is_too_short_is_rejected(tmp_path, content, expected):
    path = tmp_path / "book"
    path.write_bytes(content)
    assert_error(lambda: corpus.read(path), expected)


@pytest.mark.parametrize("cut", [5, 60, -1])
def test_truncated_compressed_file_is_rejected(tmp_path, cut):
    path = tmp_path / "book.gz"
    path.write_bytes(gzip.compress(os.urandom(1000))[:cut])
    assert_error(lambda: corpus.read(path), f"can't unpack {path}: Compressed file ended before")


def test_changed_bytes_in_a_compressed_file_are_detected(tmp_path):
    packed = bytearray(gzip.compress(b"text " * 1000))
    packed[len(packed) // 2] ^= 255
    path = tmp_path / "book.gz"
    path.write_bytes(packed)
    assert_error(lambda: corpus.read(path), f"can't unpack {path}: ")


def test_compressed_file_that_exceeds_the_limit_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "_LARGEST_UNPACKED", 2**21)
    path = tmp_path / "book.gz"
    path.write_bytes(gzip.compress(bytes(2**21 + 1)))
    assert_error(
        lambda: corpus.read(path),
        f"{path} unpacks to more than 0.00195 GiB; unpack the file yourself",
    )


@pytest.mark.parametrize("name", ["nowhere", "nowhere/at/all", "a\0b"])
def test_missing_path_is_reported(tmp_path, name):
    assert_error(
        lambda: corpus.read(tmp_path / name),
        f"there is no {tmp_path / name}; expected a text file or a directory",
        printable="\0" not in name,
    )


@needs_pipes
def test_pipe_is_rejected(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert_error(
        lambda: corpus.read(tmp_path / "pipe"),
        f"{tmp_path / 'pipe'} is neither a text file nor a directory",
    )


def test_name_that_is_too_long_is_reported(tmp_path):
    assert_error(lambda: corpus.read(tmp_path / ("x" * 300)), "File name too long")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_file_without_permission_is_reported(tmp_path):
    write_files(tmp_path, {"book": b"x" * 100})
    (tmp_path / "book").chmod(0)
    assert_error(
        lambda: corpus.read(tmp_path / "book"), f"can't read {tmp_path / 'book'}: Permission denied"
    )


@pytest.mark.skipif(not PTB.is_dir(), reason="there is no ../shared/data/ptb")
def test_penn_treebank_has_fifty_symbols_and_its_published_sizes():
    text = corpus.read(PTB)
    sizes = {split: len(text.split(split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 5_101_618, "validation": 399_782, "test": 449_945}
    vocabulary = CharVocabulary.of(text.train, None)
    assert vocabulary.size == 50
    classes = vocabulary.encode(text.test, "test")
    assert vocabulary.decode(classes) == text.test.tobytes()


# The vocabulary


@given(content=texts)
def test_a_text_comes_back_from_its_classes(content):
    text = as_array(content)
    vocabulary = CharVocabulary.of(text, None)
    classes = vocabulary.encode(text, "text")
    assert classes.dtype == np.int32
    assert set(classes) == set(range(vocabulary.size))
    assert vocabulary.decode(classes) == content


@given(content=texts)
def test_classes_are_in_the_order_of_the_bytes(content):
    vocabulary = CharVocabulary.of(as_array(content), None)
    assert list(vocabulary.symbols) == sorted(set(content))


@given(content=texts, below=st.integers(1, 4))
def test_rare_bytes_are_read_as_the_unknown_symbol(content, below):
    kept = {byte for byte in content if content.count(byte) >= below}
    if not kept:
        return
    vocabulary = CharVocabulary.of(as_array(content), below)
    classes = vocabulary.encode(as_array(content), "text")
    assert set(vocabulary.symbols) == kept
    assert vocabulary.size == len(kept) + 1
    assert [byte in kept for byte in content] == (classes < len(kept)).tolist()
    unknown = "\N{REPLACEMENT CHARACTER}".encode()
    expected = b"".join(bytes([byte]) if byte in kept else unknown for byte in content)
    assert vocabulary.decode(classes) == expected


def test_a_vocabulary_of_nothing_but_the_unknown_symbol_is_an_error():
    with pytest.raises(ConfigError, match=r"no byte .* occurs 4 times.*; expected at most 3"):
        CharVocabulary.of(as_array(b"aaabb"), 4)


@pytest.mark.parametrize(
    ("byte", "shown"),
    [(b"z", r"'z' \(0x7A\)"), (b"\n", r"'\\n' \(0x0A\)"), (b"\xe9", r"'\\xe9' \(0xE9\)")],
)
def test_an_unseen_byte_is_named_with_its_offset(byte, shown):
    # Given one far behind, and a second that doesn't count
    text = as_array(b"ab" * 10**6 + byte + b"q")
    vocabulary = CharVocabulary.of(as_array(b"ab"), None)
    with pytest.raises(ConfigError, match=rf"^test.txt: the byte {shown} at offset 2,000,000 does"):
        vocabulary.encode(text, "test.txt")


def test_unseen_byte_is_encoded_as_the_unknown_symbol():
    vocabulary = CharVocabulary.of(as_array(b"ab"), 1)
    assert vocabulary.encode(as_array(b"abz"), "test").tolist() == [0, 1, 2]


@given(content=texts, below=st.none() | st.just(1))
def test_a_vocabulary_comes_back_from_json(content, below):
    vocabulary = CharVocabulary.of(as_array(content), below)
    assert CharVocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        {"symbols": [1, 2]},
        {"symbols": [], "has_unknown": True},
        {"symbols": [2, 1], "has_unknown": True},
        {"symbols": [1, 1], "has_unknown": True},
        {"symbols": [1, 256], "has_unknown": True},
        {"symbols": [-1, 1], "has_unknown": True},
        {"symbols": [True], "has_unknown": True},
        {"symbols": ["a"], "has_unknown": True},
        {"symbols": "ab", "has_unknown": True},
        {"symbols": [1, 2], "has_unknown": 1},
        {"symbols": [1, 2], "has_unknown": False, "other": 1},
    ],
)
def test_invalid_json_vocabulary_is_rejected(content):
    with pytest.raises(ConfigError, match="the vocabulary is invalid; expected 'symbols'"):
        CharVocabulary.from_json(content)


# Entropy


@pytest.mark.parametrize(
    ("classes", "bits"),
    [([0, 1, 2, 3], 2.0), ([5, 5, 5], 0.0), ([0, 0, 0, 1], 0.8112781244591328)],
)
def test_the_entropy_is_in_bits_per_symbol(classes, bits):
    # float64: a few roundings of numbers around 1.
    assert unigram_entropy(np.array(classes, dtype=np.int32), 6) == pytest.approx(bits, abs=1e-12)


def test_the_entropy_of_a_long_text_counts_all_of_it():
    classes = np.repeat(np.arange(2, dtype=np.int32), 2**20)
    assert unigram_entropy(classes, 2) == 1.0
