"""Single-step evaluation of a character model, with states as inputs and outputs."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops, tree

from rumcli.cells.tensor import Tensor
from rumcli.models.stateful_rnn import StatefulRNN


class Stepper(keras.Model):
    """Character model that processes a single time step, without loops over time.

    Inputs are a list of the symbols `[S]` and the states; outputs are a list of the logits `[S, V]`
    and the new states.

    Args:
        model: Character model created by `CharLM.model`; its weights are shared.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name="one_step")
        self.parts = [
            layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)
        ]

    def first_states(self) -> list[np.ndarray]:
        """Return the initial states of a single stream."""
        return [
            ops.convert_to_numpy(state)
            for part in self.parts
            if isinstance(part, StatefulRNN)
            for state in part.layer.get_initial_state(1)
        ]

    def call(self, inputs: list[Tensor]) -> list[Tensor]:
        """Advance by one step."""
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
