""""""

import keras
import numpy as np
import pytest

from rumcli.models.encoders import Attention, QuestionEncoder, SentenceEncoder


def numpy(value):
    return keras.ops.convert_to_numpy(value)


def test_a_sentence_is_the_sum_of_its_words_weighted_by_place():
    encoder = SentenceEncoder(9, 4)
    sentences = np.array([[3, 5, 0]])
    found = numpy(encoder(sentences))
    vectors, weights = numpy(encoder.embedding.kernel), numpy(encoder.position_weights)
    assert weights.shape == (3, 4)
    expected = vectors[3] * weights[0] + vectors[5] * weights[1]
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_the_order_of_the_words_counts_and_padding_does_not():
    encoder = SentenceEncoder(9, 4)
    one, turned, empty = numpy(encoder(np.array([[1, 2, 0], [2, 1, 0], [0, 0, 0]])))
    assert np.abs(one - turned).max() > 1e-3
    assert np.abs(empty).max() == 0


@pytest.fixture
def looked():
    memories = np.random.default_rng(1).normal(size=(2, 5, 4)).astype("float32")
    question = np.random.default_rng(2).normal(size=(2, 6)).astype("float32")
    there = np.array([[False, False, True, True, True], [True] * 5])
    attention = Attention(3, 6, 4)
    return attention, memories, question, there


def test_weights_are_a_distribution_over_present_sentences(looked):
    attention, memories, question, there = looked
    _, weights = attention(memories, question, there)
    weights = numpy(weights)
    assert weights.shape == (2, 3, 5)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    assert weights[0, :, :2].max() == 0


def test_missing_sentences_change_nothing(looked):
    attention, memories, question, there = looked
    before = numpy(attention(memories, question, there)[0])
    memories[0, :2] = 100
    np.testing.assert_array_equal(numpy(attention(memories, question, there)[0]), before)


def test_one_hop_matches_its_formula(looked):
    _, memories, question, there = looked
    attention = Attention(1, 6, 4)
    found = numpy(attention(memories, question, there)[0])
    key = numpy(attention.keys[0].kernel)
    kernel, bias = (numpy(weight) for weight in attention.updates[0].weights)
    for sample in range(2):
        scores = memories[sample] @ (question[sample] @ key) / 2
        shares = np.where(there[sample], np.exp(scores), 0)
        seen = shares @ memories[sample] / shares.sum()
        expected = np.tanh(np.concatenate([question[sample], seen]) @ kernel + bias)
        np.testing.assert_allclose(found[sample], expected, atol=1e-5)


def test_question_is_concatenated_to_every_sentence():
    sentences = np.arange(12, dtype="float32").reshape(1, 3, 4)
    once = np.array([[[1, 2, 3, 4]]], "float32")
    found = numpy(QuestionEncoder()(sentences, once))
    everywhere = np.repeat(once, 3, axis=1)
    expected = np.concatenate([sentences, sentences * once, everywhere], axis=-1)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(numpy(QuestionEncoder()(sentences, everywhere)), expected)
