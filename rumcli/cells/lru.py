"""Linear Recurrent Unit: `LRUCell` (one step) and `LRU` (layer).

Source: arXiv:2303.06349. Pure math, no I/O.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import activations, initializers, ops

from rumcli.cells import argument_validation
from rumcli.cells.base import Masks, RecurrentCell, RecurrentLayer, Step
from rumcli.cells.ops.elementwise import activate, cos, sin, tanh
from rumcli.cells.ops.normalization import per_block
from rumcli.cells.tensor import Tensor

_EIGENVALUES = ("complex", "real")
_SMALLEST = 1e-6  # of uniform samples and of 1 − |λ|², whose logarithms are weights


@keras.saving.register_keras_serializable(package="rumcli")
class LRUCell(RecurrentCell):
    """One step of the Linear Recurrent Unit, a linear RNN with a diagonal recurrent matrix.

    With input `x [B, D]` and complex state `s [B, H]`:

        λ  = exp(−exp(ν) + i exp(θ))      eigenvalues, |λ| < 1
        s' = λ ⊙ s + exp(γ) ⊙ (x W_B)
        y  = f(Re(s' W_C) + x W_D)

    With `eigenvalues="real"` the state, `W_B` and `W_C` are real, and `λ = tanh(ν)` is in (−1, 1).

    As published, f is the identity and the nonlinearity, a gated linear unit, belongs to the block
    around the layer. Here f is part of the cell, so that a stack of layers is not linear; use
    `activation="linear"` for the published layer. λ does not depend on the input.

    Args:
        units: Size of the state and of the output, H.
        activation: Activation f, any Keras activation.
        eigenvalues: Eigenvalues, `"complex"` or `"real"`.
        min_radius: Lower bound of the initial |λ|, in [0, 1).
        max_radius: Upper bound of the initial |λ|, in (`min_radius`, 1]. Initially |λ|² is uniform
            between the squares of the bounds, and γ is `log √(1 − |λ|²)`. Real eigenvalues have
            random signs.
        max_phase: Upper bound of the initial phase exp(θ), which is uniform in (0, `max_phase`).
        kernel_initializer: Initializer of `W_B` and `W_D`, and of `W_C` for the real and the
            imaginary part, each drawn separately.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of range.

    Source: arXiv:2303.06349, section 3 and appendix A.

    Example:
        >>> from rumcli.cells import LRUCell
        >>> LRUCell(16).state_size
        [16, 16]
    """

    config_names = (
        "activation",
        "eigenvalues",
        "min_radius",
        "max_radius",
        "max_phase",
        "kernel_initializer",
    )

    def __init__(
        self,
        units: int,
        activation: Any = "gelu",
        eigenvalues: str = "complex",
        min_radius: float = 0.0,
        max_radius: float = 1.0,
        max_phase: float = 2 * math.pi,
        kernel_initializer: Any = "glorot_normal",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.activation = activations.get(activation)
        self.eigenvalues = argument_validation.choice("eigenvalues", eigenvalues, _EIGENVALUES)
        self.min_radius = argument_validation.rate("min_radius", min_radius)
        self.max_radius = argument_validation.finite_number("max_radius", max_radius)
        if not self.min_radius < self.max_radius <= 1:
            raise ValueError(
                f"max_radius must be in ({self.min_radius}, 1], where min_radius is the lower "
                f"bound, got {max_radius!r}"
            )
        self.max_phase = argument_validation.finite_number("max_phase", max_phase)
        if self.max_phase <= 0:
            raise ValueError(f"max_phase must be positive, got {max_phase!r}")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.is_complex = self.eigenvalues == "complex"
        self.state_size = [self.units] * (2 if self.is_complex else 1)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of shape `[B, D]`.

        Raises:
            ValueError: If D is None.
        """
        features, parts = self.input_dim(input_shape), len(self.state_size)
        # An initializer draws the same values on every call, so ν and γ start from the same radii.
        uniform = initializers.RandomUniform(_SMALLEST, 1.0)
        signs = initializers.RandomUniform(-1.0, 1.0)
        phases = initializers.RandomUniform(_SMALLEST * self.max_phase, self.max_phase)

        def radius(shape: Any, dtype: Any) -> Tensor:
            high = min(self.max_radius**2, 1.0 - _SMALLEST)
            low = min(self.min_radius**2, high)
            return ops.sqrt(low + (high - low) * uniform(shape, dtype=dtype))

        def nu(shape: Any, dtype: Any = None) -> Tensor:
            radii = radius(shape, dtype)
            if self.is_complex:
                return ops.log(-ops.log(radii))
            return ops.sign(signs(shape, dtype=dtype)) * ops.arctanh(radii)

        self._add_vector("nu", nu)
        if self.is_complex:
            self._add_vector("theta", lambda shape, dtype=None: ops.log(phases(shape, dtype=dtype)))
        self._add_vector(
            "gamma",
            lambda shape, dtype=None: 0.5 * ops.log(1.0 - ops.square(radius(shape, dtype))),
        )
        for name, rows, blocks in (
            ("input_kernel", features, parts),
            ("output_kernel", self.units, parts),
            ("skip_kernel", features, 1),
        ):
            kernel = self.add_weight(
                name=name,
                shape=(rows, blocks * self.units),
                initializer=per_block(self.kernel_initializer, blocks),
            )
            setattr(self, name, kernel)
        self.built = True

    def precompute_inputs(self, inputs: Tensor, masks: Masks = ()) -> tuple[Tensor, Tensor]:
        """Compute the terms that do not depend on the state.

        Args:
            inputs: Inputs `[..., D]`.
            masks: Unused.

        Returns:
            `exp(γ) ⊙ (x W_B)`, `[..., H]`, or `[..., 2H]` with complex eigenvalues (real part, then
            imaginary part); and `x W_D`, `[..., H]`.
        """
        driven = self.to_state_dtype(ops.matmul(inputs, self.input_kernel))
        scale = ops.tile(ops.exp(self.to_state_dtype(self.gamma)), (len(self.state_size),))
        return scale * driven, self.to_state_dtype(ops.matmul(inputs, self.skip_kernel))

    def eigenvalue_parts(self) -> list[Tensor]:
        """Return λ `[H]`; with complex eigenvalues, its real and its imaginary part."""
        nu = self.to_state_dtype(self.nu)
        if not self.is_complex:
            return [tanh(nu)]
        radius = ops.exp(-ops.exp(nu))
        phase = ops.exp(self.to_state_dtype(self.theta))
        return [radius * cos(phase), radius * sin(phase)]

    @staticmethod
    def multiply(one: list[Tensor], other: list[Tensor]) -> list[Tensor]:
        """Multiply complex tensors, each a list of real and imaginary part, or real ones."""
        if len(one) == 1:
            return [one[0] * other[0]]
        (a, b), (c, d) = one, other
        return [a * c - b * d, a * d + b * c]

    def outputs(self, states: list[Tensor], skipped: Tensor) -> Tensor:
        """Compute the outputs.

        Args:
            states: State `[..., H]`; with complex eigenvalues, its real and its imaginary part.
            skipped: `x W_D`, `[..., H]`.

        Returns:
            `f(Re(s W_C) + x W_D)`, `[..., H]`.
        """
        kernels = ops.split(self.output_kernel, len(states), axis=-1)
        products = [
            self.to_state_dtype(ops.matmul(ops.cast(state, self.compute_dtype), kernel))
            for state, kernel in zip(states, kernels, strict=True)
        ]
        real = products[0] - products[1] if self.is_complex else products[0]
        return activate(self.activation, real + skipped)

    def step(
        self, projected: tuple[Tensor, ...], states: list[Tensor], masks: Masks = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance the state by one step.

        Args:
            projected: Result of `precompute_inputs` for one step.
            states: State `[B, H]`; with complex eigenvalues, its real and its imaginary part.
            masks: Unused.

        Returns:
            The output y `[B, H]` and the new states.
        """
        return self.make_step()(projected, states, masks)

    def make_step(self) -> Step:
        """Compute the eigenvalues.

        Returns:
            A `step` function that reuses them.
        """
        return functools.partial(self._step, self.eigenvalue_parts())

    def _step(
        self,
        eigenvalue: list[Tensor],
        projected: tuple[Tensor, ...],
        states: list[Tensor],
        masks: Masks,
    ) -> tuple[Tensor, list[Tensor]]:
        driven, skipped = projected
        parts = ops.split(driven, len(states), axis=-1)
        new = [
            one + part for one, part in zip(self.multiply(eigenvalue, states), parts, strict=True)
        ]
        return self.outputs(new, skipped), new

    def _add_vector(self, name: str, initializer: Callable[..., Tensor]) -> None:
        weight = self.add_weight(
            name=name, shape=(self.units,), initializer=initializer, autocast=False
        )
        setattr(self, name, weight)


@keras.saving.register_keras_serializable(package="rumcli")
class LRU(RecurrentLayer):
    """Linear Recurrent Unit over a sequence.

    Inputs are `[B, T, D]`; outputs are `[B, H]`, or `[B, T, H]` with `return_sequences`. The states
    are the real and the imaginary part of the state, `[B, H]` each, or one real state `[B, H]`.

    Args:
        units: Size of the state and of the output, H.
        activation: Activation f. For details of this and the other arguments see `LRUCell`.
        eigenvalues: Eigenvalues, `"complex"` or `"real"`.
        min_radius: Lower bound of the initial |λ|.
        max_radius: Upper bound of the initial |λ|.
        max_phase: Upper bound of the initial phase.
        kernel_initializer: Initializer of the kernels.
        **kwargs: Arguments of `RecurrentLayer`, such as `return_sequences`. The fused loop
            is not supported.

    Raises:
        ValueError: If an argument is out of range.

    Source: arXiv:2303.06349, section 3 and appendix A.

    Example:
        >>> from rumcli.cells import LRU
        >>> layer = LRU(16, min_radius=0.9, return_sequences=True)
        >>> layer.compute_output_shape((2, 5, 3))
        (2, 5, 16)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "gelu",
        eigenvalues: str = "complex",
        min_radius: float = 0.0,
        max_radius: float = 1.0,
        max_phase: float = 2 * math.pi,
        kernel_initializer: Any = "glorot_normal",
        **kwargs: Any,
    ) -> None:
        cell = LRUCell(
            units,
            activation=activation,
            eigenvalues=eigenvalues,
            min_radius=min_radius,
            max_radius=max_radius,
            max_phase=max_phase,
            kernel_initializer=kernel_initializer,
            dtype=kwargs.get("dtype"),
            name=self._cell_name(),
        )
        super().__init__(cell, **kwargs)
