"""Base classes of the recurrent cells and layers: precision, zoneout and the time loop.

`RecurrentCell` is one step; `RecurrentLayer` holds a cell and loops over time. A cell computes in
two stages, so that the layer can run the first stage for all steps at once.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import keras
from keras import activations, initializers, ops

from rumcli.cells import argument_validation, time_loop
from rumcli.cells.fused import dispatch
from rumcli.cells.ops.normalization import draw_at_full_precision
from rumcli.cells.ops.rotation import computation_dtype
from rumcli.cells.tensor import Tensor

# For each state subject to zoneout: a mask, or () where none is drawn.
Masks = tuple[Any, ...]
_DTYPES = ("bfloat16", "float16", "float32", "float64")
# Signature of `RecurrentCell.step`.
Step = Callable[[tuple[Any, ...], list[Tensor], Masks], tuple[Tensor, list[Tensor]]]


class RecurrentCell(keras.layers.Layer, abc.ABC):
    """One step of a recurrent network, computed in two stages.

    A subclass implements `precompute_inputs` and `step`, and overrides `state_size` and
    `output_size` where they differ from `units`. Its first state is its output.

    Attributes:
        config_names: Constructor arguments besides `units` that `get_config` returns. The cell has
            an attribute of each name.

    Args:
        units: Size of the output, H.
        seed: Seed of the masks drawn in training.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If `units` is not a positive integer, `seed` is not an integer, or the dtype is
            not a floating-point type.
    """

    config_names: ClassVar[tuple[str, ...]] = ("seed",)

    def __init__(self, units: int, seed: int | None = None, **kwargs: Any) -> None:
        units = argument_validation.positive_integer("units", units)
        seed = argument_validation.integer_or_none("seed", seed)
        super().__init__(**kwargs)
        if self.compute_dtype not in _DTYPES:
            expected = ", ".join(_DTYPES)
            raise ValueError(f"dtype must be one of {expected}, got {self.compute_dtype}")
        self.units = units
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.state_size: Any = units
        self.output_size = units

    def add_weight(self, *args: Any, initializer: Any = None, **kwargs: Any) -> keras.Variable:
        """Create a weight; half-precision weights are initialized in float32, then cast."""
        return super().add_weight(*args, initializer=draw_at_full_precision(initializer), **kwargs)

    @abc.abstractmethod
    def precompute_inputs(self, inputs: Tensor, masks: Masks = ()) -> tuple[Any, ...]:
        """Compute the terms that do not depend on the state.

        Args:
            inputs: Inputs `[..., D]` of one step or of all steps.
            masks: Result of `draw` for the same steps; empty in inference.

        Returns:
            Tensors `[..., ·]`, the first argument of `step`.
        """

    @abc.abstractmethod
    def step(
        self, projected: tuple[Tensor, ...], states: list[Tensor], masks: Masks = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance the states by one step.

        Args:
            projected: Result of `precompute_inputs` for one step.
            states: State tensors, `[B, ...]` each.
            masks: Result of `draw` for one step; empty in inference.

        Returns:
            The output `[B, H]` and the new states.
        """

    def make_step(self) -> Step:
        """Compute the terms that depend on the weights alone and are shared by all steps.

        Returns:
            A `step` function that reuses them. It is valid for one call of the layer only, because
            the weights may change afterwards.
        """
        return self.step

    @property
    def is_random(self) -> bool:
        """Whether the cell draws masks in training."""
        return any(self.zoneouts)

    @property
    def zoneouts(self) -> tuple[float, ...]:
        """Zoneout rates of the first states: probability that a unit is not updated in training."""
        return ()

    def draw(self, batch: Any, steps: Any) -> Masks:
        """Draw the zoneout masks of all steps of a training sequence.

        Args:
            batch: Batch size, B.
            steps: Number of steps, T.

        Returns:
            For each rate in `zoneouts`, a boolean mask `[B, T, H]`, true where a unit is updated,
            or an empty tuple if the rate is zero.
        """
        return tuple(self.mask((batch, steps, self.units), rate) for rate in self.zoneouts)

    def zone_out(self, new: list[Tensor], old: list[Tensor], masks: Masks) -> list[Tensor]:
        """Mix new and old states: by the drawn masks, or in inference by the expected value."""
        mixed = list(new)
        for number, rate in enumerate(self.zoneouts):
            if rate:
                share = ops.cast(masks[number], self.state_dtype) if masks else 1.0 - rate
                mixed[number] = old[number] + share * (new[number] - old[number])
        return mixed

    @property
    def state_dtype(self) -> str:
        """Dtype of the recurrence: float32 or float64, never half precision."""
        return computation_dtype(self.compute_dtype)

    def call(
        self, inputs: Tensor, states: list[Tensor] | Tensor, training: bool = False
    ) -> tuple[Tensor, list[Tensor] | Tensor]:
        """Advance by one step; the interface that `keras.layers.RNN` expects of a cell.

        Args:
            inputs: Inputs `[B, D]`.
            states: List of states, or a single state.
            training: Whether to draw masks.

        Returns:
            The output `[B, H]` and the new states, nested like `states`.

        Raises:
            ValueError: If the cell draws masks on JAX, where each step of a loop would get the same
                mask. `RecurrentLayer` draws the masks of all steps before the loop.
        """
        nested = isinstance(states, (list, tuple))
        states = [self.to_state_dtype(s) for s in (states if nested else [states])]
        masks: Masks = ()
        if training and self.is_random:
            if keras.config.backend() == "jax":
                raise ValueError(
                    f"a bare {type(self).__name__} cannot draw masks in a loop of JAX; "
                    f"use the layer {type(self).__name__.removesuffix('Cell')} instead"
                )
            masks = keras.tree.map_structure(
                lambda mask: mask[:, 0], self.draw(ops.shape(inputs)[0], 1)
            )
        output, new_states = self.step(self.precompute_inputs(inputs, masks), states, masks)
        new_states = [ops.cast(s, self.compute_dtype) for s in new_states]
        output = ops.cast(output, self.compute_dtype)
        return output, (new_states if nested else new_states[0])

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """Return the initial states: zeros, `[B, ...]` each."""
        sizes = self.state_size if isinstance(self.state_size, (list, tuple)) else [self.state_size]
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in sizes]

    def get_config(self) -> dict[str, Any]:
        """Return the cell's configuration for `from_config`."""
        arguments = {name: _serialize(name, getattr(self, name)) for name in self.config_names}
        return {**super().get_config(), "units": self.units, **arguments}

    def input_dim(self, input_shape: tuple[int | None, ...]) -> int:
        """Return D, the last dimension of the inputs.

        Raises:
            ValueError: If it is None.
        """
        if input_shape[-1] is None:
            raise ValueError(f"the last dimension of the inputs must be known, got {input_shape}")
        return input_shape[-1]

    def to_state_dtype(self, x: Tensor) -> Tensor:
        """Cast a tensor to the dtype of the recurrence."""
        return ops.cast(x, self.state_dtype)

    def mask(self, shape: tuple[Any, ...], rate: float) -> Any:
        """Draw a boolean mask, false with probability `rate`; return `()` if the rate is zero."""
        if not rate:
            return ()
        return keras.random.uniform(shape, dtype="float32", seed=self.seed_generator) >= rate


def _serialize(name: str, value: Any) -> Any:
    if name == "activation":
        return activations.serialize(value)
    if name.endswith("_initializer"):
        return value and initializers.serialize(value)
    return value


class RecurrentLayer(keras.layers.RNN):
    """Base class of the recurrent layers: a `RecurrentCell` applied over a sequence.

    Args:
        cell: Cell to loop over time.
        implementation: Implementation of the time loop: `"auto"`, `"fused"` or `"plain"`. `"auto"`
            selects the fused loop where it is supported: always on JAX; on TensorFlow's CPU inside
            `fit`, `predict` or any `tf.function`, for sequences of static length. Weights and
            results are the same.
        **kwargs: Arguments of `keras.layers.RNN`: `return_sequences`, `return_state`,
            `go_backwards`, `stateful`, `unroll`, `zero_output_for_mask`; and of
            `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of range, or `implementation="fused"` is unsupported.
    """

    def __init__(self, cell: RecurrentCell, implementation: str = "auto", **kwargs: Any) -> None:
        if implementation not in dispatch.IMPLEMENTATIONS:
            expected = ", ".join(map(repr, dispatch.IMPLEMENTATIONS))
            raise ValueError(f"implementation must be one of {expected}, got {implementation!r}")
        super().__init__(cell, **kwargs)
        self.input_spec = [keras.layers.InputSpec(ndim=3)]
        self.implementation = implementation
        if implementation == "fused" and (obstacle := dispatch.why_not_fusable(self)):
            raise ValueError(f"implementation='fused' is not available: {obstacle}")

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> Any:
        """Apply the layer to sequences.

        Args:
            sequences: Inputs `[B, T, D]`.
            initial_state: List of initial states, or None for the cell's own.
            mask: Boolean mask `[B, T]`, or None.
            training: Whether to draw masks.

        Returns:
            Outputs and states, as `keras.layers.RNN` returns them.

        Raises:
            ValueError: If T is 0.
        """
        if sequences.shape[1] == 0:
            shape = tuple(sequences.shape)
            raise ValueError(f"sequences must have at least one step, got shape {shape}")
        # Keras does not cast integers, and the fused loop does not multiply integers by floats.
        sequences = ops.cast(sequences, self.compute_dtype)
        return super().call(sequences, initial_state, mask, training)

    def inner_loop(
        self,
        sequences: Tensor,
        initial_state: list[Tensor],
        mask: Tensor | None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Loop over time; terms that do not depend on the state are computed before the loop."""
        if dispatch.should_fuse(self, sequences):
            return dispatch.run(self, sequences, initial_state, mask, training)
        masks: Masks = ()
        if training and self.cell.is_random:
            masks = self.cell.draw(*ops.shape(sequences)[:2])
        inputs = (self.cell.precompute_inputs(sequences, masks), masks)
        states = [self.cell.to_state_dtype(state) for state in initial_state]
        step = self.cell.make_step()
        return time_loop.run(
            self, lambda one, states: step(one[0], states, one[1]), inputs, states, mask, training
        )

    def reset_state(self) -> None:
        """Reset a stateful layer to the initial state of its cell, which may differ from zero."""
        if self.states is not None:
            initial = self.get_initial_state(self.states[0].shape[0])
            for variable, value in zip(self.states, initial, strict=True):
                variable.assign(value)

    def get_config(self) -> dict[str, Any]:
        """Return the layer's configuration for `from_config`."""
        config = super().get_config()
        del config["cell"]
        cell_config = self.cell.get_config()
        for key in ("name", "trainable", "dtype"):
            cell_config.pop(key, None)
        return {**cell_config, **config, "implementation": self.implementation}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RecurrentLayer:
        """Create the layer from the result of `get_config`."""
        return cls(**config)

    @classmethod
    def _cell_name(cls) -> str:
        return f"{cls.__name__.lower()}_cell"
