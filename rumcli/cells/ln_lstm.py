"""Layer-normalized LSTM: `LNLSTMCell` (one step) and `LNLSTM` (layer).

Source: arXiv:1607.06450. Pure math, no I/O.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import initializers, ops

from rumcli.cells import argument_validation
from rumcli.cells.base import Masks, RecurrentCell, RecurrentLayer
from rumcli.cells.fused import dispatch
from rumcli.cells.ops.elementwise import tanh
from rumcli.cells.ops.normalization import layer_norm
from rumcli.cells.tensor import Tensor

_GATES = 4  # i, j, f, o


@dispatch.register("rumcli.cells.fused.layer_adapter:ln_lstm")
@keras.saving.register_keras_serializable(package="rumcli")
class LNLSTMCell(RecurrentCell):
    """One step of the LSTM with layer normalization.

    With input `x [B, D]`, hidden state `h [B, H]` and cell state `c [B, H]`:

        (i, j, f, o) = LN(x W_x + h W_h + b)     each quarter normalized separately
        c'           = σ(f + 1) ⊙ c + σ(i) ⊙ tanh(j)
        h'           = σ(o) ⊙ tanh(LN(c'))

    Args:
        units: Size of each state, H.
        forget_bias: Constant added to f; 1 as published.
        zoneout: Probability, in [0, 1), that a unit of h keeps its previous value in a training
            step. Inference uses the expected value. Source: arXiv:1606.01305.
        cell_zoneout: Probability of zoneout of c; h' is computed from c' before zoneout.
        kernel_initializer: Initializer of `W_x`.
        recurrent_initializer: Initializer of `W_h`.
        bias_initializer: Initializer of `b`.
        seed: Seed of the zoneout masks.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of range.

    Source: arXiv:1607.06450, equations 20-22, in the variant of arXiv:1705.08639.

    Example:
        >>> from rumcli.cells import LNLSTMCell
        >>> LNLSTMCell(16).state_size
        [16, 16]
    """

    config_names = (
        "forget_bias",
        "zoneout",
        "cell_zoneout",
        "kernel_initializer",
        "recurrent_initializer",
        "bias_initializer",
        "seed",
    )

    def __init__(
        self,
        units: int,
        forget_bias: float = 1.0,
        zoneout: float = 0.0,
        cell_zoneout: float = 0.0,
        kernel_initializer: Any = "orthogonal",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, seed=seed, **kwargs)
        self.forget_bias = argument_validation.finite_number("forget_bias", forget_bias)
        self.zoneout = argument_validation.rate("zoneout", zoneout)
        self.cell_zoneout = argument_validation.rate("cell_zoneout", cell_zoneout)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.state_size = [self.units, self.units]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of shape `[B, D]`.

        Raises:
            ValueError: If D is None.
        """
        size, products = self.units, _GATES * self.units
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.input_dim(input_shape), products),
            initializer=self.kernel_initializer,
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(size, products), initializer=self.recurrent_initializer
        )
        self.bias = self.add_weight(
            name="bias", shape=(products,), initializer=self.bias_initializer
        )
        self.gate_gain = self.add_weight(name="gate_gain", shape=(products,), initializer="ones")
        self.gate_offset = self.add_weight(
            name="gate_offset", shape=(products,), initializer="zeros"
        )
        self.cell_gain = self.add_weight(name="cell_gain", shape=(size,), initializer="ones")
        self.cell_offset = self.add_weight(name="cell_offset", shape=(size,), initializer="zeros")
        self.built = True

    def precompute_inputs(self, inputs: Tensor, masks: Masks = ()) -> tuple[Tensor]:
        """Compute the terms that do not depend on the state.

        Args:
            inputs: Inputs `[..., D]`.
            masks: Unused.

        Returns:
            `x W_x + b`, `[..., 4H]`.
        """
        return (self.to_state_dtype(ops.matmul(inputs, self.kernel) + self.bias),)

    def step(
        self, projected: tuple[Tensor, ...], states: list[Tensor], masks: Masks = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance the states by one step.

        Args:
            projected: Result of `precompute_inputs` for one step.
            states: States h and c, `[B, H]` each.
            masks: Result of `draw` for one step; empty in inference.

        Returns:
            The output h' after zoneout, `[B, H]`, and the new states.
        """
        hidden_state, cell_state = states
        state_term = ops.matmul(ops.cast(hidden_state, self.compute_dtype), self.recurrent_kernel)
        products = projected[0] + self.to_state_dtype(state_term)
        gains = ops.split(self.to_state_dtype(self.gate_gain), _GATES)
        offsets = ops.split(self.to_state_dtype(self.gate_offset), _GATES)
        parts = zip(ops.split(products, _GATES, axis=-1), gains, offsets, strict=True)
        i, j, f, o = (layer_norm(*part) for part in parts)
        new_cell = ops.sigmoid(f + self.forget_bias) * cell_state + ops.sigmoid(i) * tanh(j)
        normalized_cell = layer_norm(
            new_cell,
            self.to_state_dtype(self.cell_gain),
            self.to_state_dtype(self.cell_offset),
        )
        new_states = self.zone_out(
            [ops.sigmoid(o) * tanh(normalized_cell), new_cell], states, masks
        )
        return new_states[0], new_states

    @property
    def zoneouts(self) -> tuple[float, ...]:
        """Zoneout rates of h and c."""
        return (self.zoneout, self.cell_zoneout)


@keras.saving.register_keras_serializable(package="rumcli")
class LNLSTM(RecurrentLayer):
    """Layer-normalized LSTM over a sequence.

    Inputs are `[B, T, D]`; outputs are `[B, H]`, or `[B, T, H]` with `return_sequences`. The
    states are h and c, `[B, H]` each.

    Args:
        units: Size of each state, H.
        forget_bias: Constant added to f. For details of this and the other arguments see
            `LNLSTMCell`.
        zoneout: Probability that a unit of h keeps its previous value in a training step.
        cell_zoneout: Probability that a unit of c keeps its previous value in a training step.
        kernel_initializer: Initializer of `W_x`.
        recurrent_initializer: Initializer of `W_h`.
        bias_initializer: Initializer of `b`.
        seed: Seed of the zoneout masks.
        implementation: Implementation of the time loop: `"auto"`, `"fused"` or `"plain"`; see
            `RecurrentLayer`.
        **kwargs: Arguments of `RecurrentLayer`, such as `return_sequences`.

    Raises:
        ValueError: If an argument is out of range, or `implementation="fused"` is unsupported.

    Source: arXiv:1607.06450, equations 20-22, in the variant of arXiv:1705.08639.

    Example:
        >>> from rumcli.cells import LNLSTM
        >>> layer = LNLSTM(16, zoneout=0.1, return_sequences=True)
        >>> layer.compute_output_shape((2, 5, 3))
        (2, 5, 16)
    """

    def __init__(
        self,
        units: int,
        forget_bias: float = 1.0,
        zoneout: float = 0.0,
        cell_zoneout: float = 0.0,
        kernel_initializer: Any = "orthogonal",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        seed: int | None = None,
        implementation: str = "auto",
        **kwargs: Any,
    ) -> None:
        cell = LNLSTMCell(
            units,
            forget_bias=forget_bias,
            zoneout=zoneout,
            cell_zoneout=cell_zoneout,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            seed=seed,
            dtype=kwargs.get("dtype"),
            name=self._cell_name(),
        )
        super().__init__(cell, implementation=implementation, **kwargs)
