import numpy as np
import pytest

from rumcli.data import overlap as module
from rumcli.data.overlap import PASSAGE, overlap


def text(seed, passages):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 250, passages * PASSAGE).astype(np.uint8)


def test_copied_passages_are_counted_at_any_offset(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 2 * PASSAGE)  # so that copies cross its ends
    other, one = text(0, 20), text(1, 10)
    one[: 3 * PASSAGE] = other[101 : 101 + 3 * PASSAGE]
    one[5 * PASSAGE : 6 * PASSAGE] = other[-PASSAGE:]
    assert overlap(one, other) == pytest.approx(0.4)


def test_same_text_overlaps_wholly_and_another_one_not_at_all():
    assert overlap(text(0, 5), text(0, 5)) == 1.0
    assert overlap(text(0, 5), text(1, 5)) == 0.0
    zeros = np.zeros(PASSAGE, np.uint8)
    assert overlap(zeros, text(0, 5)) == 0.0


def test_passage_with_one_other_byte_does_not_count():
    one = text(0, 4)
    for place in range(0, len(one), PASSAGE):
        one[place + place // PASSAGE] ^= 1
    assert overlap(one, text(0, 4)) == 0.0


def test_text_shorter_than_a_passage_has_no_overlap():
    assert overlap(text(0, 1)[:-1], text(0, 1)) is None
    assert overlap(text(0, 1), text(0, 1)[:-1]) == 0.0
