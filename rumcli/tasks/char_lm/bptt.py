"""Parallel streams and windows of a text, for truncated backpropagation through time.

Training drops the remainder that fills no window; evaluation covers every character. Nothing here
is random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rumcli.errors import ConfigError


@dataclass(frozen=True, eq=False)
class BPTTWindows:
    """Windows of L steps over a text that is divided into S parallel streams.

    Window n + 1 of a stream continues where window n ends, so that the recurrent state can be
    carried over. The target of each character is its successor.

    Args:
        text: Classes, `[N]` int32.
        streams: Number of streams, S ≥ 1; the batch size.
        length: Time steps per window, L ≥ 1.
    """

    text: np.ndarray
    streams: int
    length: int

    @property
    def windows_per_epoch(self) -> int:
        """Number of training windows per epoch, at least 1.

        Raises:
            ConfigError: If the text does not fill one window of every stream.
        """
        windows = self._training_targets // self.length
        if windows < 1:
            needed = self.streams * self.length + 1
            raise ConfigError(
                f"the training text has {len(self.text):,} characters; expected at least "
                f"batch_size × length + 1 = {needed:,}: lower train.batch_size ({self.streams}) "
                f"or task.bptt_steps ({self.length})"
            )
        return windows

    def training_window(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one training window of every stream.

        Stream s begins at s · ⌊(N − 1)/S⌋.

        Args:
            number: Index of the window; wraps around after the last one.

        Returns:
            Inputs and targets, `[S, L]` int32.

        Raises:
            ConfigError: If the text does not fill one window of every stream.
        """
        first = number % self.windows_per_epoch * self.length
        starts = np.arange(self.streams) * self._training_targets + first
        block = self.text[starts[:, None] + np.arange(self.length + 1)].astype(np.int32, copy=False)
        return block[:, :-1], block[:, 1:]

    @property
    def evaluation_windows(self) -> int:
        """Number of windows needed to score every character but the first.

        Raises:
            ConfigError: If the text has fewer than two characters.
        """
        if len(self.text) < 2:
            raise ConfigError("a text of fewer than two characters has nothing to predict")
        return -(-self._evaluation_targets // self.length)

    def evaluation_window(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return one evaluation window of every stream; no character is dropped.

        Stream s has ⌈(N − 1)/S⌉ targets, starting at s · ⌈(N − 1)/S⌉; the last streams may have
        fewer or none. Positions past the end of a stream are class 0 with weight 0.

        Args:
            number: Index of the window, in [0, `evaluation_windows`).

        Returns:
            Inputs and targets, `[S, L]` int32, and weights, `[S, L]` float32, each 0 or 1.

        Raises:
            IndexError: If there is no such window.
        """
        if not 0 <= number < self.evaluation_windows:
            raise IndexError(f"window {number} of {self.evaluation_windows}")
        steps = number * self.length + np.arange(self.length)
        places = np.arange(self.streams)[:, None] * self._evaluation_targets + steps
        there = (steps < self._evaluation_targets) & (places < len(self.text) - 1)
        places = np.where(there, places, 0)
        inputs, targets = (
            np.where(there, self.text[places + ahead], 0).astype(np.int32, copy=False)
            for ahead in (0, 1)
        )
        return inputs, targets, there.astype(np.float32)

    @property
    def _training_targets(self) -> int:
        """Number of training targets per stream; the remainder is dropped."""
        return (len(self.text) - 1) // self.streams

    @property
    def _evaluation_targets(self) -> int:
        """Number of evaluation targets per stream; the last streams may have fewer."""
        return -(-(len(self.text) - 1) // self.streams)
