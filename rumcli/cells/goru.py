"""Gated Orthogonal Recurrent Unit: `GORUCell` (one step) and `GORU` (layer).

Source: arXiv:1706.02761. Pure math, no I/O.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import initializers, ops

from rumcli.cells.base import Masks, RecurrentCell, RecurrentLayer, Step
from rumcli.cells.eunn import published_kernel
from rumcli.cells.ops.elementwise import modrelu
from rumcli.cells.ops.normalization import per_block
from rumcli.cells.ops.plane_rotations import Map, PairedRotations, add_angles
from rumcli.cells.tensor import Tensor

_BIAS_START = 2.0  # initial reset and candidate biases, as published


@keras.saving.register_keras_serializable(package="rumcli")
class GORUCell(RecurrentCell):
    """One step of the Gated Orthogonal Recurrent Unit.

    With input `x [B, D]` and state `h [B, H]`:

        r  = σ(x W_xr + h W_hr + b_r)         reset gate
        g  = σ(x W_xg + h W_hg + b_g)         update gate
        c  = modReLU(r ⊙ (U h) + x W_xc, b_c)
        h' = g ⊙ h + (1 − g) ⊙ c

    U is the orthogonal matrix of `EUNNCell`: a product of L layers of plane rotations, each of
    which rotates pairs of units by angles θ. Applying U costs O(L H). See
    `rumcli.cells.ops.plane_rotations` for U and `rumcli.cells.ops.elementwise` for modReLU.

    Args:
        units: Size of the state, H.
        capacity: Number of layers L for `pairing="neighbors"`. None for 2, as published; must be
            None for `"fft"`.
        pairing: Pairing of the units, `"neighbors"` or `"fft"`; `"fft"` has ⌈log₂ H⌉ layers.
        kernel_initializer: Initializer of W_xc, W_xr and W_xg, drawn separately. None for uniform
            in (−0.01, 0.01), as published.
        recurrent_initializer: Initializer of W_hr and W_hg, drawn separately. None for uniform in
            (−0.01, 0.01), as published.
        bias_initializer: Initializer of all biases. None for the published ones: 2 for b_r and b_c,
            uniform in ±√(3/H) for b_g.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of range.

    Source: arXiv:1706.02761, section 3; modReLU: arXiv:1511.06464, equation 8.

    Example:
        >>> from rumcli.cells import GORUCell
        >>> GORUCell(16, capacity=4).state_size
        16
    """

    config_names = (
        "kernel_initializer",
        "recurrent_initializer",
        "bias_initializer",
    )

    def __init__(
        self,
        units: int,
        capacity: int | None = None,
        pairing: str = "neighbors",
        kernel_initializer: Any = None,
        recurrent_initializer: Any = None,
        bias_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.rotations = PairedRotations(self.units, pairing, capacity)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of shape `[B, D]`.

        Raises:
            ValueError: If D is None.
        """
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.input_dim(input_shape), 3 * self.units),
            initializer=per_block(self.kernel_initializer or published_kernel(), 3),
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(self.units, 2 * self.units),
            initializer=per_block(self.recurrent_initializer or published_kernel(), 2),
        )
        start = initializers.Constant(_BIAS_START)
        for part, published in (
            ("reset", start),
            ("update", "glorot_uniform"),
            ("candidate", start),
        ):
            name = f"{part}_bias"
            bias = self.add_weight(
                name=name, shape=(self.units,), initializer=self.bias_initializer or published
            )
            setattr(self, name, bias)
        self.theta = add_angles(self, "theta", self.rotations.pairs)
        self.built = True

    def precompute_inputs(self, inputs: Tensor, masks: Masks = ()) -> tuple[Tensor, Tensor]:
        """Compute the terms that do not depend on the state.

        Args:
            inputs: Inputs `[..., D]`.
            masks: Unused.

        Returns:
            `x W_xc`, `[..., H]`, and the input and bias terms of the gates r and g, `[..., 2H]`.
        """
        products = ops.matmul(inputs, self.kernel)
        candidate, gates = ops.split(products, [self.units], axis=-1)
        gates = gates + ops.concatenate([self.reset_bias, self.update_bias])
        return self.to_state_dtype(candidate), self.to_state_dtype(gates)

    def step(
        self, projected: tuple[Tensor, ...], states: list[Tensor], masks: Masks = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance the state by one step.

        Args:
            projected: Result of `precompute_inputs` for one step.
            states: List of one state `[B, H]`.
            masks: Unused.

        Returns:
            The output h' `[B, H]` and the list of the new state.
        """
        return self.make_step()(projected, states, masks)

    def make_step(self) -> Step:
        """Compute the coefficients of U.

        Returns:
            A `step` function that reuses the coefficients.
        """
        return functools.partial(self._step, self.rotations.orthogonal(self.theta))

    def get_config(self) -> dict[str, Any]:
        """Return the cell's configuration for `from_config`."""
        rotations = {"capacity": self.rotations.capacity, "pairing": self.rotations.pairing}
        return {**super().get_config(), **rotations}

    def _step(
        self, rotate: Map, projected: tuple[Tensor, ...], states: list[Tensor], masks: Masks
    ) -> tuple[Tensor, list[Tensor]]:
        input_term, gates = projected
        (hidden_state,) = states
        state_term = ops.matmul(ops.cast(hidden_state, self.compute_dtype), self.recurrent_kernel)
        gates = ops.sigmoid(gates + self.to_state_dtype(state_term))
        reset, update = ops.split(gates, 2, axis=-1)
        candidate = modrelu(
            reset * rotate(hidden_state) + input_term, self.to_state_dtype(self.candidate_bias)
        )
        new = update * hidden_state + (1.0 - update) * candidate
        return new, [new]


@keras.saving.register_keras_serializable(package="rumcli")
class GORU(RecurrentLayer):
    """Gated Orthogonal Recurrent Unit over a sequence.

    Inputs are `[B, T, D]`; outputs are `[B, H]`, or `[B, T, H]` with `return_sequences`.

    Args:
        units: Size of the state, H.
        capacity: Number of layers of neighboring pairs. For details of this and the other
            arguments see `GORUCell`.
        pairing: Pairing of the units, `"neighbors"` or `"fft"`.
        kernel_initializer: Initializer of the input kernels, or None for the published one.
        recurrent_initializer: Initializer of the recurrent kernels, or None for the published one.
        bias_initializer: Initializer of the biases, or None for the published ones.
        **kwargs: Arguments of `RecurrentLayer`, such as `return_sequences`. The fused loop
            is not supported.

    Raises:
        ValueError: If an argument is out of range.

    Source: arXiv:1706.02761, section 3; modReLU: arXiv:1511.06464, equation 8.

    Example:
        >>> from rumcli.cells import GORU
        >>> layer = GORU(16, return_sequences=True)
        >>> layer.compute_output_shape((2, 5, 3))
        (2, 5, 16)
    """

    def __init__(
        self,
        units: int,
        capacity: int | None = None,
        pairing: str = "neighbors",
        kernel_initializer: Any = None,
        recurrent_initializer: Any = None,
        bias_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        cell = GORUCell(
            units,
            capacity=capacity,
            pairing=pairing,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            dtype=kwargs.get("dtype"),
            name=self._cell_name(),
        )
        super().__init__(cell, **kwargs)
