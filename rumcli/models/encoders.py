"""Encoders of words, sentences and questions, and attention over them."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from rumcli.cells.ops.normalization import draw_at_full_precision
from rumcli.cells.tensor import Tensor


@keras.saving.register_keras_serializable(package="rumcli")
class OneHotEmbedding(keras.layers.Layer):
    """Embedding computed as the product of one-hot vectors and a matrix.

    For small vocabularies such as characters this is faster than `keras.layers.Embedding`, whose
    gradient is a sparse list of vectors to sum by symbol. The gradient is also deterministic.

    Args:
        symbols: Size of the vocabulary, V.
        units: Size of the vectors, E.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, symbols: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.symbols = symbols
        self.units = units

    def build(self, input_shape: Any) -> None:
        """Create the embedding matrix with an orthogonal initializer."""
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.symbols, self.units),
            initializer=draw_at_full_precision("orthogonal"),
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Return the vectors `[..., E]` of integer symbols `[...]`."""
        return ops.matmul(ops.one_hot(inputs, self.symbols, dtype=self.compute_dtype), self.kernel)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the output shape `[..., E]`."""
        return (*input_shape, self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration for `from_config`."""
        return {**super().get_config(), "symbols": self.symbols, "units": self.units}


@keras.saving.register_keras_serializable(package="rumcli")
class SentenceEncoder(keras.layers.Layer):
    """Encoder of sentences as position-weighted sums of word vectors.

    With learned word vectors `v_j [E]` and learned weights `w_j [E]` of position j, the vector of a
    sentence is `Σ_j w_j ⊙ v_j`. The weights are initialized from a normal distribution with mean 1
    and standard deviation 1, because equal weights would ignore the word order.

    Args:
        words: Size of the vocabulary including padding, V.
        units: Size of the vectors, E.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, words: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.embedding = OneHotEmbedding(words, units, name="embedding")

    def build(self, input_shape: Any) -> None:
        """Create the word vectors and the position weights for inputs `[..., J]`."""
        self.embedding.build(input_shape)
        self.position_weights = self.add_weight(
            name="position_weights",
            shape=(input_shape[-1], self.units),
            initializer=keras.initializers.RandomNormal(1.0, 1.0),
        )
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Encode sentences `[..., J]` of word indices, 0 for padding, as vectors `[..., E]`."""
        vectors = self.embedding(inputs)
        mask = ops.expand_dims(ops.cast(inputs != 0, vectors.dtype), -1)
        return ops.sum(vectors * mask * ops.cast(self.position_weights, vectors.dtype), axis=-2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the output shape `[..., E]`."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration for `from_config`."""
        return {**super().get_config(), "words": self.embedding.symbols, "units": self.units}


@keras.saving.register_keras_serializable(package="rumcli")
class QuestionEncoder(keras.layers.Layer):
    """Concatenation of each sentence e, its product with the question q, and q: `[e, e ⊙ q, q]`.

    The product lets a following recurrent layer update its state depending on how relevant a
    sentence is to the question.
    """

    def call(self, sentences: Tensor, question: Tensor) -> Tensor:
        """Concatenate sentences, products and questions.

        Args:
            sentences: Sentence vectors `[B, S, E]`.
            question: Question vectors `[B, S, E]`, or `[B, 1, E]` for one question per sample.

        Returns:
            `[B, S, 3 E]`.
        """
        product = sentences * question
        question = ops.broadcast_to(question, ops.shape(product))
        return ops.concatenate([sentences, product, question], axis=-1)

    def compute_output_shape(self, sentences_shape: Any, question_shape: Any) -> Any:
        """Return the output shape `[B, S, 3 E]`."""
        return (*sentences_shape[:-1], 3 * sentences_shape[-1])


@keras.saving.register_keras_serializable(package="rumcli")
class Attention(keras.layers.Layer):
    """Multi-hop attention: each hop attends to the memories and updates the question.

    With memories `m_t [B, S, M]` and the question `u [B, H]`, each hop computes

        a = softmax(m_t · W u / √M),   u ← tanh(V [u, Σ_t a_t m_t] + b)

    Args:
        num_hops: Number of hops.
        units: Size of the question, H.
        memory_units: Size of each memory, M.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, num_hops: int, units: int, memory_units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_hops = num_hops
        self.units = units
        self.memory_units = memory_units
        self.supports_masking = True  # the mask is an input
        self.keys = [
            keras.layers.Dense(memory_units, use_bias=False, name=f"key_{n}")
            for n in range(num_hops)
        ]
        self.updates = [
            keras.layers.Dense(units, activation="tanh", name=f"update_{n}")
            for n in range(num_hops)
        ]

    def build(self, memories_shape: Any, question_shape: Any, padding_mask_shape: Any) -> None:
        """Create the weights of all hops."""
        for key, update in zip(self.keys, self.updates, strict=True):
            key.build((None, self.units))
            update.build((None, self.units + self.memory_units))
        self.built = True

    def call(
        self, memories: Tensor, question: Tensor, padding_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Apply all hops.

        Args:
            memories: Memories `[B, S, M]`.
            question: Question `[B, H]`.
            padding_mask: Boolean mask `[B, S]`, true for memories that are not padding, with at
                least one true entry in each sample.

        Returns:
            The updated question `[B, H]` and the attention weights a, `[B, num_hops, S]`.
        """
        weights = []
        for key, update in zip(self.keys, self.updates, strict=True):
            scores = ops.sum(memories * ops.expand_dims(key(question), 1), axis=-1)
            scores = ops.where(padding_mask, scores / math.sqrt(self.memory_units), -1e9)
            weight = ops.softmax(scores, axis=-1)
            context = ops.sum(memories * ops.expand_dims(weight, -1), axis=1)
            question = update(ops.concatenate([question, context], axis=-1))
            weights.append(weight)
        return question, ops.stack(weights, axis=1)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Return None: the following layers get the mask as an input."""

    def compute_output_shape(
        self, memories_shape: Any, question_shape: Any, padding_mask_shape: Any
    ) -> tuple[Any, Any]:
        """Return the output shapes `[B, H]` and `[B, num_hops, S]`."""
        batch, memories = memories_shape[0], memories_shape[1]
        return (batch, self.units), (batch, self.num_hops, memories)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration for `from_config`."""
        config = {"num_hops": self.num_hops, "units": self.units, "memory_units": self.memory_units}
        return {**super().get_config(), **config}
