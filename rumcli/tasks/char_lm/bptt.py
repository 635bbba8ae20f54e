"""A text as parallel streams, cut into windows, for truncated back-propagation through time.

Training leaves out what fills no window; evaluation leaves out nothing. Random numbers are in
`counter_rng`; there are none here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rumcli.errors import ConfigError


@dataclass(frozen=True, eq=False)
class BPTTWindows:
    """A text as S parallel streams, cut into windows of L steps.

    Window n + 1 of a stream goes on where window n of it ended, so that a recurrent state can be
    carried from one to the next. Each character's target is the one after it.

    Args:
        text: `[N]` classes, int32.
        streams: S ≥ 1, the batch size.
        length: L ≥ 1, time steps of a window.
    """

    text: np.ndarray
    streams: int
    length: int

    @property
    def windows_per_epoch(self) -> int:
        """The number of training windows in one pass over the text, at least 1.

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
        """Make a window of every stream: inputs and targets, `[S, L]` int32.

        Stream s begins at s · ⌊(N − 1)/S⌋.

        Args:
            number: Of the window; after the last one comes the first again.

        Raises:
            ConfigError: If the text does not fill one window of every stream.
        """
        first = number % self.windows_per_epoch * self.length
        starts = np.arange(self.streams) * self._training_targets + first
        block = self.text[starts[:, None] + np.arange(self.length + 1)].astype(np.int32, copy=False)
        return block[:, :-1], block[:, 1:]

    @property
    def evaluation_windows(self) -> int:
        """The number of windows in which every character but the first is scored.

        Raises:
            ConfigError: If the text has fewer than two characters.
        """
        if len(self.text) < 2:
            raise ConfigError("a text of fewer than two characters has nothing to predict")
        return -(-self._evaluation_targets // self.length)

    def evaluation_window(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Make a window of every stream, in which no character is left out.

        Stream s has the ⌈(N − 1)/S⌉ targets from s · ⌈(N − 1)/S⌉ on, the last streams fewer or
        none. What lies behind a stream's end is class 0 with weight 0.

        Args:
            number: Of the window, less than `evaluation_windows`.

        Returns:
            Inputs and targets, `[S, L]` int32, and weights, `[S, L]` float32, 1 or 0.

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
        """Targets of each stream in training; those that are left over belong to none."""
        return (len(self.text) - 1) // self.streams

    @property
    def _evaluation_targets(self) -> int:
        """Targets of each stream in evaluation, but for the last ones."""
        return -(-(len(self.text) - 1) // self.streams)
