"""DeltaProduct: `DeltaProductCell` (one step) and `DeltaProduct` (layer).

Source: arXiv:2502.10297; DeltaNet: arXiv:2406.06484. Pure math, no I/O.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import initializers, ops

from rumcli.cells import argument_validation
from rumcli.cells.base import Masks, RecurrentCell, RecurrentLayer
from rumcli.cells.ops.normalization import per_block
from rumcli.cells.ops.rotation import unit
from rumcli.cells.tensor import Tensor

_SMALLEST_HEAD = 16  # units of a head by default; the state has as many entries per unit
_RMS_EPSILON = 1e-5
# Range of the initial decay rates A and time steps Δ of the gate, as published.
_LARGEST_RATE = 16.0
_TIME_STEPS = (1e-3, 1e-1)


@keras.saving.register_keras_serializable(package="rumcli")
class DeltaProductCell(RecurrentCell):
    """One step of DeltaProduct: a matrix state that n generalized reflections update per token.

    Each head has a state `S [B, d, d]` of keys by values, with `d = H / num_heads`. With input
    `x [B, D]` and j = 1 … n, for each head:

        q   = unit(silu(x W_q))
        k_j = unit(silu(x W_kj))
        v_j = x W_vj
        β_j = c σ(x W_βj)                 c = 2 with negative eigenvalues, otherwise 1
        S_0 = g S                         g = exp(−exp(a) softplus(x W_g + b_g)), 1 without gate
        S_j = (I − β_j k_j k_jᵀ) S_{j−1} + β_j k_j v_jᵀ
        y   = RMSNorm(S_nᵀ q)             the new state is S_n

    The transition `I − β k kᵀ` has the eigenvalue `1 − β` along k: in [0, 1], or in [−1, 1] with
    negative eigenvalues, where β = 2 is a reflection and two reflections are a rotation. n = 1 is
    DeltaNet; with gate, Gated DeltaNet.

    The published layer also has short convolutions over q, k and v, and a projection and a gate of
    the output. They are not part of the cell.

    Args:
        units: Size of the output, H.
        num_reflections: Number n of reflections per token.
        num_heads: Number of heads; divides `units`. None for the largest number of heads of at
            least 16 units.
        gated: Whether to use the forget gate g.
        negative_eigenvalues: Whether the eigenvalues are in [−1, 1] rather than in [0, 1].
        output_norm: Whether to normalize the output of each head, with a gain per unit.
        kernel_initializer: Initializer of the kernels of q, k_j, v_j, β_j and g, each drawn
            separately.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of range, or `num_heads` does not divide `units`.

    Source: arXiv:2502.10297, section 4; the gate: arXiv:2412.06464, equation 10.

    Example:
        >>> from rumcli.cells import DeltaProductCell
        >>> DeltaProductCell(32, num_heads=4).state_size
        256
    """

    config_names = (
        "num_reflections",
        "num_heads",
        "gated",
        "negative_eigenvalues",
        "output_norm",
        "kernel_initializer",
    )

    def __init__(
        self,
        units: int,
        num_reflections: int = 2,
        num_heads: int | None = None,
        gated: bool = False,
        negative_eigenvalues: bool = True,
        output_norm: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        if num_heads is None:
            largest = max(self.units // _SMALLEST_HEAD, 1)
            num_heads = next(n for n in range(largest, 0, -1) if self.units % n == 0)
        self.num_heads = argument_validation.divisor("num_heads", num_heads, self.units)
        self.head_size = self.units // self.num_heads
        self.num_reflections = argument_validation.positive_integer(
            "num_reflections", num_reflections
        )
        self.gated = argument_validation.boolean("gated", gated)
        self.negative_eigenvalues = argument_validation.boolean(
            "negative_eigenvalues", negative_eigenvalues
        )
        self.output_norm = argument_validation.boolean("output_norm", output_norm)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.state_size = self.units * self.head_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of shape `[B, D]`.

        Raises:
            ValueError: If D is None.
        """
        features = self.input_dim(input_shape)
        for part, width, count in (
            ("query", self.units, 1),
            ("key", self.units, self.num_reflections),
            ("value", self.units, self.num_reflections),
            ("beta", self.num_heads, self.num_reflections),
            *([("gate", self.num_heads, 1)] if self.gated else []),
        ):
            kernel = self.add_weight(
                name=f"{part}_kernel",
                shape=(features, count * width),
                initializer=per_block(self.kernel_initializer, count),
            )
            setattr(self, f"{part}_kernel", kernel)
        if self.gated:
            self.gate_rate = self.add_weight(
                name="gate_rate", shape=(self.num_heads,), initializer=_log_rates, autocast=False
            )
            self.gate_bias = self.add_weight(
                name="gate_bias", shape=(self.num_heads,), initializer=_time_steps, autocast=False
            )
        if self.output_norm:
            self.output_gain = self.add_weight(
                name="output_gain", shape=(self.units,), initializer="ones"
            )
        self.built = True

    def precompute_inputs(self, inputs: Tensor, masks: Masks = ()) -> tuple[Tensor, ...]:
        """Compute the terms that do not depend on the state.

        Args:
            inputs: Inputs `[..., D]`.
            masks: Unused.

        Returns:
            q `[..., heads, d]`; k and v `[..., n, heads, d]`; β `[..., n, heads, 1]`; and, with
            gate, log g `[..., heads, 1]`.
        """
        lead = tuple(ops.shape(inputs)[:-1])
        count, heads, size = self.num_reflections, self.num_heads, self.head_size

        def project(kernel: Any, *shape: int) -> Tensor:
            products = self.to_state_dtype(ops.matmul(inputs, kernel))
            return ops.reshape(products, (*lead, *shape))

        query = unit(_silu(project(self.query_kernel, heads, size)))
        key = unit(_silu(project(self.key_kernel, count, heads, size)))
        value = project(self.value_kernel, count, heads, size)
        beta = ops.sigmoid(project(self.beta_kernel, count, heads, 1))
        beta = 2.0 * beta if self.negative_eigenvalues else beta
        if not self.gated:
            return query, key, value, beta
        step = project(self.gate_kernel, heads) + self.to_state_dtype(self.gate_bias)
        decay = -ops.exp(self.to_state_dtype(self.gate_rate)) * ops.softplus(step)
        return query, key, value, beta, ops.expand_dims(decay, -1)

    def step(
        self, projected: tuple[Tensor, ...], states: list[Tensor], masks: Masks = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance the state by one step.

        Args:
            projected: Result of `precompute_inputs` for one step.
            states: List of one state, S of all heads flattened by rows, `[B, H·d]`.
            masks: Unused.

        Returns:
            The output y `[B, H]` and the list of the new state.
        """
        query, key, value, beta, *decay = projected
        size = self.head_size
        state = ops.reshape(states[0], (-1, self.num_heads, size, size))
        if decay:
            state = state * ops.exp(ops.expand_dims(decay[0], -1))
        for number in range(self.num_reflections):
            row = ops.expand_dims(key[:, number], -2)
            recalled = ops.squeeze(ops.matmul(row, state), -2)
            update = beta[:, number] * (value[:, number] - recalled)
            state = state + ops.expand_dims(key[:, number], -1) * ops.expand_dims(update, -2)
        output = ops.squeeze(ops.matmul(ops.expand_dims(query, -2), state), -2)
        return self.normalize(output), [ops.reshape(state, (-1, self.state_size))]

    def normalize(self, outputs: Tensor) -> Tensor:
        """Normalize the outputs of the heads and concatenate them.

        Args:
            outputs: `Sᵀ q`, `[..., heads, d]`.

        Returns:
            y `[..., H]`.
        """
        if self.output_norm:
            squares = ops.sum(ops.square(outputs), axis=-1, keepdims=True) / self.head_size
            outputs = outputs * ops.rsqrt(squares + _RMS_EPSILON)
        outputs = ops.reshape(outputs, (*ops.shape(outputs)[:-2], self.units))
        return outputs * self.to_state_dtype(self.output_gain) if self.output_norm else outputs


def _silu(x: Tensor) -> Tensor:
    return x * ops.sigmoid(x)


def _log_rates(shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
    """Draw log A, with A uniform in (0, 16)."""
    draw = initializers.RandomUniform(1e-3 * _LARGEST_RATE, _LARGEST_RATE)
    return ops.log(draw(shape, dtype=dtype))


def _time_steps(shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
    """Draw biases whose softplus, the time step Δ, is log-uniform in (0.001, 0.1)."""
    low, high = map(math.log, _TIME_STEPS)
    step = ops.exp(initializers.RandomUniform(low, high)(shape, dtype=dtype))
    return ops.log(ops.expm1(step))


@keras.saving.register_keras_serializable(package="rumcli")
class DeltaProduct(RecurrentLayer):
    """DeltaProduct over a sequence.

    Inputs are `[B, T, D]`; outputs are `[B, H]`, or `[B, T, H]` with `return_sequences`. The state
    is the matrix of each head, flattened: `[B, H²/num_heads]`.

    Args:
        units: Size of the output, H.
        num_reflections: Number of reflections per token; 1 for DeltaNet. For details of this and
            the other arguments see `DeltaProductCell`.
        num_heads: Number of heads, or None for the largest number of heads of at least 16 units.
        gated: Whether to use the forget gate.
        negative_eigenvalues: Whether the eigenvalues are in [−1, 1] rather than in [0, 1].
        output_norm: Whether to normalize the output of each head.
        kernel_initializer: Initializer of the kernels.
        **kwargs: Arguments of `RecurrentLayer`, such as `return_sequences`. The fused loop
            is not supported.

    Raises:
        ValueError: If an argument is out of range, or `num_heads` does not divide `units`.

    Source: arXiv:2502.10297, section 4; the gate: arXiv:2412.06464, equation 10.

    Example:
        >>> from rumcli.cells import DeltaProduct
        >>> layer = DeltaProduct(32, num_reflections=3, gated=True, return_sequences=True)
        >>> layer.compute_output_shape((2, 5, 3))
        (2, 5, 32)
    """

    def __init__(
        self,
        units: int,
        num_reflections: int = 2,
        num_heads: int | None = None,
        gated: bool = False,
        negative_eigenvalues: bool = True,
        output_norm: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        cell = DeltaProductCell(
            units,
            num_reflections=num_reflections,
            num_heads=num_heads,
            gated=gated,
            negative_eigenvalues=negative_eigenvalues,
            output_norm=output_norm,
            kernel_initializer=kernel_initializer,
            dtype=kwargs.get("dtype"),
            name=self._cell_name(),
        )
        super().__init__(cell, **kwargs)
