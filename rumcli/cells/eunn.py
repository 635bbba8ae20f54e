"""Efficient Unitary Neural Network: `EUNNCell` (one step) and `EUNN` (layer).

Source: arXiv:1612.05231. Pure math, no I/O.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
from keras import initializers, ops

from rumcli.cells import argument_validation
from rumcli.cells.base import Masks, RecurrentCell, RecurrentLayer, Step
from rumcli.cells.ops.elementwise import complex_modrelu, modrelu
from rumcli.cells.ops.normalization import per_block
from rumcli.cells.ops.plane_rotations import Map, PairedRotations, add_angles
from rumcli.cells.tensor import Tensor


def published_kernel() -> initializers.Initializer:
    """Return the published kernel initializer of EUNN and GORU: uniform in (−0.01, 0.01)."""
    return initializers.RandomUniform(-0.01, 0.01)


@keras.saving.register_keras_serializable(package="rumcli")
class EUNNCell(RecurrentCell):
    """One step of the Efficient Unitary Neural Network.

    With input `x [B, D]` and state `h [B, H]`:

        h' = modReLU(U h + x W, b)

    U is orthogonal: a product of L layers of plane rotations, each of which rotates pairs of units
    by angles θ. Applying U costs O(L H). With `complex_valued`, h and W are complex and U is
    unitary, with phases φ within the layers and ω after them. See
    `rumcli.cells.ops.plane_rotations` for U and `rumcli.cells.ops.elementwise` for modReLU.

    The output is h'. With `complex_valued` it is the real part of h', as in the authors' copying
    task, and the states are the real and the imaginary part, `[B, H]` each.

    Args:
        units: Size of the state, H.
        capacity: Number of layers L for `pairing="neighbors"`. None for 2, as published; must be
            None for `"fft"`.
        pairing: Pairing of the units, `"neighbors"` or `"fft"`; `"fft"` has ⌈log₂ H⌉ layers.
        complex_valued: Whether the state is complex.
        kernel_initializer: Initializer of W, drawn separately for the real and the imaginary part.
            None for uniform in (−0.01, 0.01), as published.
        bias_initializer: Initializer of b.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of range.

    Source: arXiv:1612.05231, section 3; modReLU: arXiv:1511.06464, equation 8.

    Example:
        >>> from rumcli.cells import EUNNCell
        >>> EUNNCell(16, complex_valued=True).state_size
        [16, 16]
    """

    config_names = (
        "complex_valued",
        "kernel_initializer",
        "bias_initializer",
    )

    def __init__(
        self,
        units: int,
        capacity: int | None = None,
        pairing: str = "neighbors",
        complex_valued: bool = False,
        kernel_initializer: Any = None,
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.rotations = PairedRotations(self.units, pairing, capacity)
        self.complex_valued = argument_validation.boolean("complex_valued", complex_valued)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        if self.complex_valued:
            self.state_size = [self.units, self.units]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of shape `[B, D]`.

        Raises:
            ValueError: If D is None.
        """
        parts = 2 if self.complex_valued else 1
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.input_dim(input_shape), parts * self.units),
            initializer=per_block(self.kernel_initializer or published_kernel(), parts),
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.units,), initializer=self.bias_initializer
        )
        self.theta = add_angles(self, "theta", self.rotations.pairs)
        if self.complex_valued:
            self.phi = add_angles(self, "phi", self.rotations.pairs)
            self.omega = add_angles(self, "omega", self.units)
        self.built = True

    def precompute_inputs(self, inputs: Tensor, masks: Masks = ()) -> tuple[Tensor]:
        """Compute the terms that do not depend on the state.

        Args:
            inputs: Inputs `[..., D]`.
            masks: Unused.

        Returns:
            `x W`, `[..., H]`. With `complex_valued`, `[..., 2H]`: real part, then imaginary part.
        """
        return (self.to_state_dtype(ops.matmul(inputs, self.kernel)),)

    def step(
        self, projected: tuple[Tensor, ...], states: list[Tensor], masks: Masks = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance the state by one step.

        Args:
            projected: Result of `precompute_inputs` for one step.
            states: List of one state `[B, H]`; with `complex_valued`, its real and imaginary part.
            masks: Unused.

        Returns:
            The output `[B, H]` and the new states.
        """
        return self.make_step()(projected, states, masks)

    def make_step(self) -> Step:
        """Compute the coefficients of U.

        Returns:
            A `step` function that reuses the coefficients.
        """
        if self.complex_valued:
            rotate = self.rotations.unitary(self.theta, self.phi, self.omega)
            return functools.partial(self._complex_step, rotate)
        return functools.partial(self._real_step, self.rotations.orthogonal(self.theta))

    def get_config(self) -> dict[str, Any]:
        """Return the cell's configuration for `from_config`."""
        rotations = {"capacity": self.rotations.capacity, "pairing": self.rotations.pairing}
        return {**super().get_config(), **rotations}

    def _real_step(
        self, rotate: Map, projected: tuple[Tensor, ...], states: list[Tensor], masks: Masks
    ) -> tuple[Tensor, list[Tensor]]:
        new = modrelu(rotate(states[0]) + projected[0], self.to_state_dtype(self.bias))
        return new, [new]

    def _complex_step(
        self, rotate: Map, projected: tuple[Tensor, ...], states: list[Tensor], masks: Masks
    ) -> tuple[Tensor, list[Tensor]]:
        input_term = ops.reshape(projected[0], (-1, 2, self.units))
        new = complex_modrelu(
            rotate(ops.stack(states, axis=1)) + input_term, self.to_state_dtype(self.bias)
        )
        real, imaginary = ops.unstack(new, axis=1)
        return real, [real, imaginary]


@keras.saving.register_keras_serializable(package="rumcli")
class EUNN(RecurrentLayer):
    """Efficient Unitary Neural Network over a sequence.

    Inputs are `[B, T, D]`; outputs are real, `[B, H]`, or `[B, T, H]` with `return_sequences`. The
    state is `[B, H]`. With `complex_valued` there are two states `[B, H]`, the real and the
    imaginary part.

    Args:
        units: Size of the state, H.
        capacity: Number of layers of neighboring pairs. For details of this and the other
            arguments see `EUNNCell`.
        pairing: Pairing of the units, `"neighbors"` or `"fft"`.
        complex_valued: Whether the state is complex.
        kernel_initializer: Initializer of W, or None for the published one.
        bias_initializer: Initializer of b.
        **kwargs: Arguments of `RecurrentLayer`, such as `return_sequences`. The fused loop
            is not supported.

    Raises:
        ValueError: If an argument is out of range.

    Source: arXiv:1612.05231, section 3; modReLU: arXiv:1511.06464, equation 8.

    Example:
        >>> from rumcli.cells import EUNN
        >>> layer = EUNN(16, pairing="fft", return_sequences=True)
        >>> layer.compute_output_shape((2, 5, 3))
        (2, 5, 16)
    """

    def __init__(
        self,
        units: int,
        capacity: int | None = None,
        pairing: str = "neighbors",
        complex_valued: bool = False,
        kernel_initializer: Any = None,
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        cell = EUNNCell(
            units,
            capacity=capacity,
            pairing=pairing,
            complex_valued=complex_valued,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            dtype=kwargs.get("dtype"),
            name=self._cell_name(),
        )
        super().__init__(cell, **kwargs)
