"""Sentences as vectors, and a question that looks back at them.

Source: arXiv:1503.08895; its section 4.1 for the encoding by position, here centred so that its
mean is 1, and section 2.2 for several looks, one after the other, there called hops.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from rumcli.tasks.embedding import OneHotEmbedding

Tensor = Any


class SentenceEncoder(keras.layers.Layer):
    """Makes one vector of the words of a sentence: their sum, weighted by place.

    The weight of unit k of the word at place j, of E units and J words, both counted from 1, is
    `1 + 4 (j − (J + 1)/2)(k − (E + 1)/2)/(E J)`. Without it, sentences with the same words would be
    the same.

    Args:
        words: Number of different words, padding included, V.
        units: Size of the vectors, E.
        **kwargs: Those of `keras.layers.Layer`.
    """

    def __init__(self, words: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.embedding = OneHotEmbedding(words, units, name="embedding")

    def build(self, input_shape: Any) -> None:
        """Create the words' vectors."""
        self.embedding.build(input_shape)
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Return the vectors `[..., E]` of sentences `[..., J]` of word numbers, 0 for padding."""
        vectors = self.embedding(inputs)
        there = ops.expand_dims(ops.cast(inputs != 0, vectors.dtype), -1)
        places = _place_weights(inputs.shape[-1], self.units)
        return ops.sum(vectors * there * ops.cast(places, vectors.dtype), axis=-2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return `[..., E]`."""
        return (*input_shape[:-1], self.units)


def _place_weights(words: int, units: int) -> np.ndarray:
    places = np.arange(1, words + 1)[:, None] - (words + 1) / 2
    across = np.arange(1, units + 1) - (units + 1) / 2
    return 1 + 4 * places * across / (units * words)


class Attention(keras.layers.Layer):
    """Looks at memories several times, each time with what the question has become so far.

    With memories `m_t [B, S, H]` and the question `u [B, H]`, each look is

        a = softmax(m_t · W u / √H),   u ← tanh(V [u, Σ_t a_t m_t] + b)

    Args:
        looks: How many.
        units: H.
        **kwargs: Those of `keras.layers.Layer`.
    """

    def __init__(self, looks: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.looks = looks
        self.units = units
        self.supports_masking = True  # it is told what is there, and needs no mask
        self.keys = [
            keras.layers.Dense(units, use_bias=False, name=f"key_{n}") for n in range(looks)
        ]
        self.updates = [
            keras.layers.Dense(units, activation="tanh", name=f"update_{n}") for n in range(looks)
        ]

    def build(self, memories_shape: Any, question_shape: Any, there_shape: Any) -> None:
        """Create the weights of every look."""
        for key, update in zip(self.keys, self.updates, strict=True):
            key.build((None, self.units))
            update.build((None, 2 * self.units))
        self.built = True

    def call(self, memories: Tensor, question: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the question has become, `[B, H]`, and the weights `a`, `[B, looks, S]`.

        Args:
            memories: `[B, S, H]`.
            question: `[B, H]`.
            there: `[B, S]`, true where there is a memory; one at least in each sample.
        """
        weights = []
        for key, update in zip(self.keys, self.updates, strict=True):
            scores = ops.sum(memories * ops.expand_dims(key(question), 1), axis=-1)
            scores = ops.where(there, scores / math.sqrt(self.units), -1e9)
            weight = ops.softmax(scores, axis=-1)
            seen = ops.sum(memories * ops.expand_dims(weight, -1), axis=1)
            question = update(ops.concatenate([question, seen], axis=-1))
            weights.append(weight)
        return question, ops.stack(weights, axis=1)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Return no mask: whoever comes next is told what is there."""

    def compute_output_shape(
        self, memories_shape: Any, question_shape: Any, there_shape: Any
    ) -> tuple[Any, Any]:
        """Return `[B, H]` and `[B, looks, S]`."""
        batch, memories = memories_shape[0], memories_shape[1]
        return (batch, self.units), (batch, self.looks, memories)
