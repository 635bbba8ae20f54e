"""Character-level language modeling: predict each character of a text from those before it.

Truncated backpropagation through time over parallel streams, with the state carried from window to
window. Sources: arXiv:1710.09537, with the settings of arXiv:1705.08639.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import keras
import numpy as np

from rumcli.config import RunConfig, Split
from rumcli.models.builders import apply_layers, compile_model, dropout, logits, recurrent
from rumcli.models.encoders import OneHotEmbedding
from rumcli.models.rnn_wrappers import ExplicitStateRNN, StatefulRNN
from rumcli.tasks.base import Batch, Task
from rumcli.tasks.baseline import Baseline
from rumcli.tasks.char_lm.config import CharactersConfig
from rumcli.tasks.char_lm.dataset import BPTTWindows, CharDataset

# Test score of FS-RUM-2 on Penn Treebank, in bits per character: arXiv:1710.09537.
_PUBLISHED = 1.189
_LARGEST_EXPONENT = 700.0  # math.exp overflows a float just above this
_AFTER = "_after"  # suffix of the state outputs of an inference model


class CharLM(Task):
    """Character-level language modeling.

    The loss is the mean cross-entropy per character, in nats.

    Args:
        config: Configuration of the run.
        text: Dataset. Without classes, the task has a model but no batches.
    """

    metric = "bits_per_character"
    monitor = "bits_per_character"
    sample_unit = "characters"

    def __init__(self, config: RunConfig, text: CharDataset) -> None:
        super().__init__(config)
        self.text = text
        self._windows = {
            split: BPTTWindows(
                classes,
                config.train.batch_size if split == Split.TRAIN else self._task.eval_batch_size,
                self._task.bptt_steps,
            )
            for split, classes in text.classes.items()
        }

    @property
    def baseline(self) -> Baseline:
        """Unigram entropy of the training text, with target 0, in bits per character."""
        published = _PUBLISHED if self.text.is_penn_treebank else None
        return Baseline("unigram", self.text.unigram_entropy, target=0.0, published=published)

    @property
    def source(self) -> str:
        """Source of the text."""
        return self.text.source

    @property
    def steps_per_epoch(self) -> int:
        """Number of training windows per epoch."""
        return self._windows[Split.TRAIN].windows_per_epoch

    def training_batch(self, step: int) -> Batch:
        """Return the next window of every stream; wraps around after the last one."""
        symbols, targets = self._windows[Split.TRAIN].training_window(step)
        return self._inputs(symbols, step % self.steps_per_epoch == 0), targets

    def num_batches(self, split: Split) -> int:
        """Return the number of windows of an evaluation split."""
        return self._windows[split].evaluation_windows

    def evaluation_batch(self, split: Split, number: int) -> Batch:
        """Return one window of every stream, with sample weights.

        Padding past the end of a stream has weight 0. The other weights are scaled such that the
        mean over all positions, as computed by Keras, equals the mean over the characters.
        """
        symbols, targets, is_target = self._windows[split].evaluation_window(number)
        num_positions = self.num_batches(split) * is_target.size
        weights = is_target * np.float32(num_positions / self.num_samples(split))
        return self._inputs(symbols, number == 0), targets, weights

    def num_samples(self, split: Split) -> int:
        """Return the number of predicted characters: all but the first."""
        return len(self.text.classes[split]) - 1

    @property
    def class_names(self) -> Sequence[str]:
        """Characters of the vocabulary, as in `step_labels`."""
        vocabulary = self.text.vocabulary
        return [
            vocabulary.decode([number]).decode(errors="replace")
            for number in range(vocabulary.size)
        ]

    def sample_indices(self, split: Split, number: int) -> np.ndarray:
        """Return the position in the text of each target of a window, from 1."""
        return self._windows[split].evaluation_positions(number) + 1

    def step_labels(self, inputs: Any, row: int) -> list[str]:
        """Return the characters; a byte that is not valid UTF-8 by itself becomes U+FFFD."""
        decode = self.text.vocabulary.decode
        return [decode([number]).decode(errors="replace") for number in inputs["symbols"][row]]

    def derive_metrics(self, measured: Mapping[str, float]) -> dict[str, float]:
        """Add bits per character and perplexity to the measured metrics."""
        metrics = dict(measured)
        for prefix in ("", "val_"):
            if (loss := measured.get(f"{prefix}loss")) is not None:
                metrics[f"{prefix}{self.metric}"] = loss / math.log(2)
                metrics[f"{prefix}perplexity"] = math.exp(min(loss, _LARGEST_EXPONENT))
        return metrics

    def model(self) -> keras.Model:
        """Build the compiled model, from windows `[S, L]` to logits `[S, L, V]`.

        The optimizer minimizes the sum of the loss over a window, as in the published setup.
        """
        task = self._task
        symbols = keras.Input((task.bptt_steps,), dtype="int32", name="symbols")
        reset = keras.Input((), name="reset")
        size = self.text.vocabulary.size
        value = OneHotEmbedding(size, task.embedding, name="embedding")(symbols)
        value = dropout(self.config, 1)(value)
        for number, cell in enumerate(recurrent(self.config, True, return_state=True), 1):
            streams = (self.config.train.batch_size, task.eval_batch_size)
            value = StatefulRNN(cell, *streams, name=cell.name)(value, reset)
            value = dropout(self.config, number + 1)(value)
        value = apply_layers(
            logits(self.config, size, task.embedding, kernel_initializer="orthogonal"), value
        )
        model = keras.Model(
            {"symbols": symbols, "reset": reset}, value, name=self.config.task.label
        )
        compile_model(model, self.config, metrics=[], summed_over=task.bptt_steps)
        return model

    def for_inference(self, model: keras.Model) -> keras.Model:
        """Return a model on windows `[B, L]`, for any B and L, with explicit states.

        The states are inputs and outputs. The outputs are the logits and the new states, by name.
        Where `reset` is nonzero, a text begins and the input states are ignored.
        """
        symbols = keras.Input((None,), dtype="int32", name="symbols")
        reset = keras.Input((), name="reset")
        inputs, outputs, value = {"symbols": symbols, "reset": reset}, {}, symbols
        for layer in model.layers:
            if isinstance(layer, StatefulRNN):
                states = _state_inputs(layer)
                value, *after = ExplicitStateRNN(layer.layer, name=layer.name)(
                    value, reset, list(states.values())
                )
                inputs.update(states)
                outputs.update({name + _AFTER: s for name, s in zip(states, after, strict=True)})
            elif not isinstance(layer, keras.layers.InputLayer):
                value = layer(value)
        return keras.Model(inputs, {"logits": value, **outputs}, name=model.name)

    def inference_inputs(
        self, model: keras.Model, inputs: Any, before: Mapping[str, np.ndarray] | None
    ) -> dict[str, np.ndarray]:
        """Add the states: the output states of the previous window, or zeros for the first."""
        states = {name: spec for name, spec in model.input.items() if name not in inputs}
        if before is None:
            streams = len(inputs["symbols"])
            arrays = {
                name: np.zeros((streams, *spec.shape[1:]), spec.dtype)
                for name, spec in states.items()
            }
        else:
            arrays = {name: before[name + _AFTER] for name in states}
        return {**inputs, **arrays}

    def _inputs(self, symbols: np.ndarray, reset: bool) -> dict[str, np.ndarray]:
        return {
            "symbols": symbols,
            "reset": np.full(len(symbols), reset, dtype=np.float32),
        }

    @property
    def _task(self) -> CharactersConfig:
        return cast(CharactersConfig, self.config.task)


def _state_inputs(carried: StatefulRNN) -> dict[str, Any]:
    """Return an input for each state of a layer, by name: `cell_state_1`, `cell_state_2`."""
    states = carried.layer.get_initial_state(1)
    return {
        name: keras.Input(state.shape[1:], dtype=state.dtype, name=name)
        for number, state in enumerate(states, 1)
        for name in [f"{carried.name}_state_{number}"]
    }
