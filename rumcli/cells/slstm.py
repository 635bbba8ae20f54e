"""sLSTM of xLSTM: `SLSTMCell` (one step) and `SLSTM` (layer).

Source: arXiv:2405.04517. Pure math, no I/O.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import initializers, ops

from rumcli.cells import argument_validation
from rumcli.cells.base import Masks, RecurrentCell, RecurrentLayer
from rumcli.cells.ops.elementwise import tanh
from rumcli.cells.ops.normalization import per_block
from rumcli.cells.tensor import Tensor

_GATES = 4  # z, i, f, o
_FORGET_GATES = ("sigmoid", "exponential")
# Log-normalizer of an empty memory: its weight exp(log f + l − l') is zero. Within float16.
_EMPTY = -1e4


@keras.saving.register_keras_serializable(package="rumcli")
class SLSTMCell(RecurrentCell):
    """One step of the sLSTM, an LSTM with exponential gates and a normalizer.

    With input `x [B, D]`, hidden state `h`, memory `c̄` and log-normalizer `l`, each `[B, H]`, and
    with pre-activations of the cell input, the input, forget and output gate:

        (z̃, ĩ, f̃, õ) = x W + h R + b
        log f = log σ(f̃ + forget_bias)       or f̃ + forget_bias, if `forget_gate="exponential"`
        l'    = log(exp(log f + l) + exp(ĩ))
        c̄'    = exp(log f + l − l') ⊙ c̄ + exp(ĩ − l') ⊙ tanh(z̃)
        h'    = σ(õ) ⊙ c̄'

    These are the published equations. They have a cell state c, a normalizer n and a stabilizer m,
    of which the output depends on `c̄ = c/n` and `l = m + log n` only. In this form the two weights
    of `c̄'` are σ(e) and 1 − σ(e) with `e = log f + l − ĩ`, so that nothing overflows and n cannot
    vanish. The memory is initially empty: h and c̄ are zero, and l is −10,000 in place of −∞.

    R is block-diagonal: each of `num_heads` groups of units has its own recurrent matrix. The
    convolution, the group normalization and the projections of the xLSTM block are not part of
    the cell.

    Args:
        units: Size of each state, H.
        num_heads: Number of blocks of R; divides `units`.
        forget_gate: Forget gate, `"sigmoid"` or `"exponential"`; the paper allows both.
        forget_bias: Constant added to f̃.
        kernel_initializer: Initializer of the blocks of `W`, drawn separately for each gate.
        recurrent_initializer: Initializer of the blocks of `R`, drawn separately for each gate.
        bias_initializer: Initializer of `b`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of range, or `num_heads` does not divide `units`.

    Source: arXiv:2405.04517, equations 8-17 and appendix A.2.

    Example:
        >>> from rumcli.cells import SLSTMCell
        >>> SLSTMCell(16, num_heads=4).state_size
        [16, 16, 16]
    """

    config_names = (
        "num_heads",
        "forget_gate",
        "forget_bias",
        "kernel_initializer",
        "recurrent_initializer",
        "bias_initializer",
    )

    def __init__(
        self,
        units: int,
        num_heads: int = 1,
        forget_gate: str = "sigmoid",
        forget_bias: float = 1.0,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.num_heads = argument_validation.divisor("num_heads", num_heads, self.units)
        self.forget_gate = argument_validation.choice("forget_gate", forget_gate, _FORGET_GATES)
        self.forget_bias = argument_validation.finite_number("forget_bias", forget_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.state_size = [self.units] * 3

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of shape `[B, D]`.

        Raises:
            ValueError: If D is None.
        """
        size = self.units // self.num_heads
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.input_dim(input_shape), _GATES * self.units),
            initializer=per_block(self.kernel_initializer, _GATES),
        )
        # One block of columns for each gate and head, which the heads' rows share.
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(size, _GATES * self.units),
            initializer=per_block(self.recurrent_initializer, _GATES * self.num_heads),
        )
        self.bias = self.add_weight(
            name="bias", shape=(_GATES * self.units,), initializer=self.bias_initializer
        )
        self.built = True

    def precompute_inputs(self, inputs: Tensor, masks: Masks = ()) -> tuple[Tensor]:
        """Compute the terms that do not depend on the state.

        Args:
            inputs: Inputs `[..., D]`.
            masks: Unused.

        Returns:
            `x W + b`, `[..., 4H]`.
        """
        return (self.to_state_dtype(ops.matmul(inputs, self.kernel) + self.bias),)

    def step(
        self, projected: tuple[Tensor, ...], states: list[Tensor], masks: Masks = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance the states by one step.

        Args:
            projected: Result of `precompute_inputs` for one step.
            states: States h, c̄ and l, `[B, H]` each.
            masks: Unused.

        Returns:
            The output h' `[B, H]` and the new states.
        """
        hidden_state, memory, normalizer = states
        products = projected[0] + self.to_state_dtype(self._recurrent_product(hidden_state))
        z, i, f, o = ops.split(products, _GATES, axis=-1)
        f = f + self.forget_bias
        # log σ(f) = −softplus(−f)
        old = normalizer + f if self.forget_gate == "exponential" else normalizer - ops.softplus(-f)
        excess = old - i
        z = tanh(z)
        memory = z + ops.sigmoid(excess) * (memory - z)
        normalizer = i + ops.softplus(excess)
        hidden_state = ops.sigmoid(o) * memory
        return hidden_state, [hidden_state, memory, normalizer]

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """Return the states of an empty memory, `[B, H]` each."""
        hidden_state, memory, normalizer = super().get_initial_state(batch_size)
        return [hidden_state, memory, normalizer + _EMPTY]

    def _recurrent_product(self, hidden_state: Tensor) -> Tensor:
        """Return `h R`, `[B, 4H]`."""
        hidden_state = ops.cast(hidden_state, self.compute_dtype)
        if self.num_heads == 1:
            return ops.matmul(hidden_state, self.recurrent_kernel)
        size = self.units // self.num_heads
        # [B, heads, 1, size] · [4, heads, size, size], summed over the rows of each head.
        kernel = ops.reshape(self.recurrent_kernel, (size, _GATES, self.num_heads, size))
        by_head = ops.reshape(hidden_state, (-1, self.num_heads, size))
        products = ops.einsum("bhr,rghc->bghc", by_head, kernel)
        return ops.reshape(products, (-1, _GATES * self.units))


@keras.saving.register_keras_serializable(package="rumcli")
class SLSTM(RecurrentLayer):
    """sLSTM of xLSTM over a sequence.

    Inputs are `[B, T, D]`; outputs are `[B, H]`, or `[B, T, H]` with `return_sequences`.

    Args:
        units: Size of each state, H.
        num_heads: Number of blocks of R. For details of this and the other arguments see
            `SLSTMCell`.
        forget_gate: Forget gate, `"sigmoid"` or `"exponential"`.
        forget_bias: Constant added to the forget gate's pre-activation.
        kernel_initializer: Initializer of the input kernels.
        recurrent_initializer: Initializer of the recurrent kernels.
        bias_initializer: Initializer of the biases.
        **kwargs: Arguments of `RecurrentLayer`, such as `return_sequences`. The fused loop
            is not supported.

    Raises:
        ValueError: If an argument is out of range, or `num_heads` does not divide `units`.

    Source: arXiv:2405.04517, equations 8-17 and appendix A.2.

    Example:
        >>> from rumcli.cells import SLSTM
        >>> layer = SLSTM(16, num_heads=4, return_sequences=True)
        >>> layer.compute_output_shape((2, 5, 3))
        (2, 5, 16)
    """

    def __init__(
        self,
        units: int,
        num_heads: int = 1,
        forget_gate: str = "sigmoid",
        forget_bias: float = 1.0,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        cell = SLSTMCell(
            units,
            num_heads=num_heads,
            forget_gate=forget_gate,
            forget_bias=forget_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            dtype=kwargs.get("dtype"),
            name=self._cell_name(),
        )
        super().__init__(cell, **kwargs)
