"""A text that a run writes: its weights, read once, and one character after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rumcli.models.stepper import Stepper
from rumcli.tasks import registry
from rumcli.tasks.char_lm import sampling
from rumcli.tasks.char_lm.dataset import CharDataset
from rumcli.training import dataset_binding, keras_setup, model_state
from rumcli.training.evaluation import load_checkpoint
from rumcli.training.run_dir import RunDir


@dataclass(frozen=True)
class Symbol:
    """A symbol that was drawn.

    Attributes:
        number: Its class.
        bits: How unlikely the model had it, −log₂ of its probability.
    """

    number: int
    bits: float


class Writer:
    """Goes on with a prompt as a run's model would.

    Args:
        folder: The run's folder.
        which: `"best"` (by validation) or `"last"`.
        text: What `dataset_binding.text_of` returned; None: it is read.

    Raises:
        RunError: If there is no checkpoint, or it is damaged, or the vocabulary is missing.
        ConfigError: If the run's task has no text.
    """

    def __init__(self, folder: RunDir, which: str, text: CharDataset | None = None) -> None:
        checkpoint = load_checkpoint(folder, which)
        self.text = text or dataset_binding.text_of(folder)
        keras_setup.prepare(folder.config)
        model = registry.make(folder.config, self.text).model()
        model_state.restore_weights(model, checkpoint.arrays)
        self._step = Stepper(model)

    def write(self, prompt: np.ndarray, temperature: float, seed: int) -> Iterator[Symbol]:
        """Draw one symbol after the other, without end.

        Args:
            prompt: `[N]` classes, which are read first. Empty: the text begins behind a newline,
                or if that is not in the vocabulary, behind its first symbol.
            temperature: See `sampling.draw`.
            seed: Of the draws.
        """
        generator = np.random.Generator(np.random.Philox(seed))
        states = self._step.first_states()
        read = [int(number) for number in prompt] or [self._beginning]
        for number in read[:-1]:
            _, states = self._read(number, states)
        last = read[-1]
        while True:
            logits, states = self._read(last, states)
            last = sampling.draw(logits, temperature, generator)
            yield Symbol(last, sampling.surprise(logits, last))

    @property
    def _beginning(self) -> int:
        symbols = self.text.vocabulary.symbols
        return symbols.index(ord("\n")) if ord("\n") in symbols else 0

    def _read(self, number: int, states: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        symbol = np.array([number], dtype=np.int32)
        logits, *states = self._step.predict_on_batch([symbol, *states])
        return logits[0], states
