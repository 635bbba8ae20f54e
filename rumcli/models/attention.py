"""Sentences as vectors, read with a question in mind, and a question that looks back at them.

Sources: arXiv:1612.03969, section 3, for words that are weighted by place, with weights that are
learned; arXiv:1606.04582 for a question that each layer changes sentence by sentence for the next
one; arXiv:1503.08895, section 2.2, for several looks, one after the other, there called hops.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from rumcli.models.embedding import OneHotEmbedding

Tensor = Any


@keras.saving.register_keras_serializable(package="rumcli")
class SentenceEncoder(keras.layers.Layer):
    """Makes one vector of the words of a sentence: their sum, weighted by place.

    With weights `w_j [E]` for the place j, learned with the words' vectors, a sentence is
    `Σ_j w_j ⊙ v_j`. They are random at first, of mean 1 and deviation 1: weights that are alike
    leave sentences with the same words alike.

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
        """Create the words' vectors, and weights for the places of sentences `[..., J]`."""
        self.embedding.build(input_shape)
        self.places = self.add_weight(
            name="places",
            shape=(input_shape[-1], self.units),
            initializer=keras.initializers.RandomNormal(1.0, 1.0),
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Return the vectors `[..., E]` of sentences `[..., J]` of word numbers, 0 for padding."""
        vectors = self.embedding(inputs)
        there = ops.expand_dims(ops.cast(inputs != 0, vectors.dtype), -1)
        return ops.sum(vectors * there * ops.cast(self.places, vectors.dtype), axis=-2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return `[..., E]`."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to make the layer again."""
        return {**super().get_config(), "words": self.embedding.symbols, "units": self.units}


@keras.saving.register_keras_serializable(package="rumcli", name="Question")
class QuestionEncoder(keras.layers.Layer):
    """Puts a question beside each sentence, and their product: `[e, e ⊙ q, q]`.

    What a recurrent layer then keeps can depend on whether a sentence is about the question.
    """

    def call(self, sentences: Tensor, question: Tensor) -> Tensor:
        """Return `[B, S, 3 E]`.

        Args:
            sentences: `[B, S, E]`.
            question: `[B, S, E]`, or `[B, 1, E]` if it is the same for all of them.
        """
        product = sentences * question
        question = ops.broadcast_to(question, ops.shape(product))
        return ops.concatenate([sentences, product, question], axis=-1)

    def compute_output_shape(self, sentences_shape: Any, question_shape: Any) -> Any:
        """Return `[B, S, 3 E]`."""
        return (*sentences_shape[:-1], 3 * sentences_shape[-1])


@keras.saving.register_keras_serializable(package="rumcli")
class Attention(keras.layers.Layer):
    """Looks at memories several times, each time with what the question has become so far.

    With memories `m_t [B, S, M]` and the question `u [B, H]`, each look is

        a = softmax(m_t · W u / √M),   u ← tanh(V [u, Σ_t a_t m_t] + b)

    Args:
        looks: How many.
        units: H.
        memory_units: M.
        **kwargs: Those of `keras.layers.Layer`.
    """

    def __init__(self, looks: int, units: int, memory_units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.looks = looks
        self.units = units
        self.memory_units = memory_units
        self.supports_masking = True  # it is told what is there, and needs no mask
        self.keys = [
            keras.layers.Dense(memory_units, use_bias=False, name=f"key_{n}") for n in range(looks)
        ]
        self.updates = [
            keras.layers.Dense(units, activation="tanh", name=f"update_{n}") for n in range(looks)
        ]

    def build(self, memories_shape: Any, question_shape: Any, there_shape: Any) -> None:
        """Create the weights of every look."""
        for key, update in zip(self.keys, self.updates, strict=True):
            key.build((None, self.units))
            update.build((None, self.units + self.memory_units))
        self.built = True

    def call(self, memories: Tensor, question: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the question has become, `[B, H]`, and the weights `a`, `[B, looks, S]`.

        Args:
            memories: `[B, S, M]`.
            question: `[B, H]`.
            there: `[B, S]`, true where there is a memory; one at least in each sample.
        """
        weights = []
        for key, update in zip(self.keys, self.updates, strict=True):
            scores = ops.sum(memories * ops.expand_dims(key(question), 1), axis=-1)
            scores = ops.where(there, scores / math.sqrt(self.memory_units), -1e9)
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

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to make the layer again."""
        own = {"looks": self.looks, "units": self.units, "memory_units": self.memory_units}
        return {**super().get_config(), **own}
