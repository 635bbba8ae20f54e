"""A model of characters, one symbol at a time: the states go in and come out."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops, tree

from rumcli.models.stateful_rnn import StatefulRNN

Tensor = Any


class Stepper(keras.Model):
    """The layers of a model of characters, without its loops over time.

    Called with a list of symbols `[S]` and states, it returns a list of logits `[S, V]` and states.

    Args:
        model: As `CharLM.model` makes it; the weights are the same ones.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name="one_step")
        self.parts = [
            layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)
        ]

    def first_states(self) -> list[np.ndarray]:
        """Return the states before the first symbol of one stream."""
        return [
            ops.convert_to_numpy(state)
            for part in self.parts
            if isinstance(part, StatefulRNN)
            for state in part.layer.get_initial_state(1)
        ]

    def call(self, inputs: list[Tensor]) -> list[Tensor]:
        """Go one step."""
        value, *before = inputs
        after: list[Tensor] = []
        for part in self.parts:
            if isinstance(part, StatefulRNN):
                count = len(part.layer.state_size)
                value, states = part.layer.cell(value, before[:count])
                before = before[count:]
                after += tree.flatten(states)
            else:
                value = part(value)
        return [value, *after]
