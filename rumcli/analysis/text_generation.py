"""Text generation with a trained character-level language model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rumcli.models.rnn_wrappers import Stepper
from rumcli.tasks import registry
from rumcli.tasks.char_lm.dataset import CharDataset
from rumcli.training import dataset_binding, model_state, run_environment
from rumcli.training.evaluation import load_checkpoint
from rumcli.training.run_dir import RunDir


def sample(logits: np.ndarray, temperature: float, generator: np.random.Generator) -> int:
    """Sample a class from the softmax of logits.

    Args:
        logits: Logits, `[V]`.
        temperature: Divisor of the logits, at least 0. 1 samples from the model's distribution;
            0 returns the most likely class, the first in a tie.
        generator: Random number generator; consumes one number unless the temperature is 0.

    Returns:
        The class, in [0, V).
    """
    if temperature == 0:
        return int(np.argmax(logits))
    shifted = logits.astype(np.float64) - logits.max()
    with np.errstate(over="ignore", under="ignore"):  # negligible probabilities may become 0
        cumulative = np.cumsum(np.exp(shifted / temperature))
    return int(np.searchsorted(cumulative, generator.random() * cumulative[-1], side="right"))


def surprisal(logits: np.ndarray, drawn: int) -> float:
    """Return −log₂ of the softmax probability of class `drawn`, in bits; `logits` is `[V]`."""
    shifted = logits.astype(np.float64) - logits.max()
    return float((np.log(np.exp(shifted).sum()) - shifted[drawn]) / np.log(2))


@dataclass(frozen=True)
class Symbol:
    """A sampled symbol.

    Attributes:
        number: Class of the symbol.
        bits: Surprisal in bits: −log₂ of the predicted probability.
    """

    number: int
    bits: float


class Writer:
    """Text generator that continues a prompt with a run's model.

    Args:
        run_dir: Run directory.
        which: `"best"` (by validation) or `"last"`.
        text: Result of `dataset_binding.text_of`; None to load it.

    Raises:
        RunError: If the checkpoint is missing or damaged, or the vocabulary is missing.
        ConfigError: If the run's task has no text.
    """

    def __init__(self, run_dir: RunDir, which: str, text: CharDataset | None = None) -> None:
        checkpoint = load_checkpoint(run_dir, which)
        self.text = text or dataset_binding.text_of(run_dir)
        run_environment.prepare_keras(run_dir.config)
        model = registry.make(run_dir.config, self.text).model()
        model_state.restore_weights(model, checkpoint.arrays)
        self._step = Stepper(model)

    def write(self, prompt: np.ndarray, temperature: float, seed: int) -> Iterator[Symbol]:
        """Sample symbols in an infinite sequence.

        Args:
            prompt: Classes of the symbols to read first: `[N]`. An empty prompt is replaced by a
                newline, or by the first symbol of a vocabulary without one.
            temperature: Sampling temperature; see `text_generation.sample`.
            seed: Seed of the samples.

        Yields:
            One sampled symbol at a time.
        """
        generator = np.random.Generator(np.random.Philox(seed))
        states = self._step.first_states()
        read = [int(number) for number in prompt] or [self._default_prompt]
        for number in read[:-1]:
            _, states = self._read(number, states)
        last = read[-1]
        while True:
            logits, states = self._read(last, states)
            last = sample(logits, temperature, generator)
            yield Symbol(last, surprisal(logits, last))

    @property
    def _default_prompt(self) -> int:
        symbols = self.text.vocabulary.symbols
        return symbols.index(ord("\n")) if ord("\n") in symbols else 0

    def _read(self, number: int, states: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        symbol = np.array([number], dtype=np.int32)
        logits, *states = self._step.predict_on_batch([symbol, *states])
        return logits[0], states
