"""What our recurrent cells and layers have in common: precision, zoneout, and the loop over time.

`RecurrentCell` is one step, `RecurrentLayer` the loop, which holds the cell. A cell computes in two
parts, so that the layer can do the first for all steps at once.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from rumcli.cells import argument_validation, time_loop
from rumcli.cells.fused import dispatch
from rumcli.cells.ops.normalization import draw_at_full_precision
from rumcli.cells.ops.rotation import computation_dtype

Tensor = Any
# For each state that zoneout may act on: a mask, or () where it does not draw.
Masks = tuple[Any, ...]
_DTYPES = ("bfloat16", "float16", "float32", "float64")
# What `step` takes and returns.
Step = Callable[[tuple[Any, ...], list[Tensor], Masks], tuple[Tensor, list[Tensor]]]


class RecurrentCell(keras.layers.Layer, abc.ABC):
    """One step of a recurrent network, in two parts.

    A subclass sets `units`, `state_size` and `output_size`, and has `precompute_inputs` and `step`.
    Its first state is its output.

    Args:
        units: Size of the output, H.
        seed: Seed of what is drawn in training.
        **kwargs: Those of `keras.layers.Layer`.

    Raises:
        ValueError: If `units` is not a positive integer, `seed` no integer, or the dtype no float.
    """

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
        """Create a weight, as any Keras layer does; half precision is drawn in float32."""
        return super().add_weight(*args, initializer=draw_at_full_precision(initializer), **kwargs)

    @abc.abstractmethod
    def precompute_inputs(self, inputs: Tensor, draws: Masks = ()) -> tuple[Any, ...]:
        """Compute all that does not depend on the state.

        Args:
            inputs: `[..., D]`, for one step or for all.
            draws: What `draw` returned, for the same steps; empty in inference.
        """

    @abc.abstractmethod
    def step(
        self, projected: tuple[Tensor, ...], states: list[Tensor], draws: Masks = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance the states by one step.

        Args:
            projected: What `precompute_inputs` returned, for one step.
            states: `[B, ...]` each.
            draws: What `draw` returned, for one step; empty in inference.

        Returns:
            The output `[B, H]` and the new states.
        """

    def make_step(self) -> Step:
        """Compute what all steps share because it depends on the weights alone.

        Returns:
            `step`, which need not compute that again. It is for one call of the layer: afterwards
            the weights may be others.
        """
        return self.step

    @property
    def is_random(self) -> bool:
        """Whether the cell draws anything in training."""
        return any(self.zoneouts)

    @property
    def zoneouts(self) -> tuple[float, ...]:
        """The probabilities with which units of the first states keep their values in training."""
        return ()

    def draw(self, batch: Any, steps: Any) -> Masks:
        """Draw for all steps of a training sequence, per unit, whether it takes its new value.

        Returns:
            For each of `zoneouts` a boolean `[B, T, H]`, or an empty tuple where it is zero.
        """
        return tuple(self.mask((batch, steps, self.units), rate) for rate in self.zoneouts)

    def zone_out(self, new: list[Tensor], old: list[Tensor], draws: Masks) -> list[Tensor]:
        """Let units keep their old values: those drawn, or else their expected share of it."""
        mixed = list(new)
        for number, rate in enumerate(self.zoneouts):
            if rate:
                share = ops.cast(draws[number], self.state_dtype) if draws else 1.0 - rate
                mixed[number] = old[number] + share * (new[number] - old[number])
        return mixed

    @property
    def state_dtype(self) -> str:
        """The dtype in which the recurrence runs: never half precision."""
        return computation_dtype(self.compute_dtype)

    def call(
        self, inputs: Tensor, states: list[Tensor] | Tensor, training: bool = False
    ) -> tuple[Tensor, list[Tensor] | Tensor]:
        """Advance by one step, as `keras.layers.RNN` calls a cell.

        Args:
            inputs: `[B, D]`.
            states: The states, or the only one.
            training: Whether it draws.

        Returns:
            The output `[B, H]` and the new states, in the form in which they came.

        Raises:
            ValueError: If it would draw inside a loop of JAX, where each step would get the same
                mask. Our layers draw for all steps before the loop.
        """
        nested = isinstance(states, (list, tuple))
        states = [self.to_state_dtype(s) for s in (states if nested else [states])]
        draws: Masks = ()
        if training and self.is_random:
            if keras.config.backend() == "jax":
                raise ValueError(
                    f"a bare {type(self).__name__} cannot draw masks in a loop of JAX; "
                    f"use the layer {type(self).__name__.removesuffix('Cell')} instead"
                )
            draws = keras.tree.map_structure(
                lambda mask: mask[:, 0], self.draw(ops.shape(inputs)[0], 1)
            )
        output, new_states = self.step(self.precompute_inputs(inputs, draws), states, draws)
        new_states = [ops.cast(s, self.compute_dtype) for s in new_states]
        output = ops.cast(output, self.compute_dtype)
        return output, (new_states if nested else new_states[0])

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """Return the states before the first step: zeros, `[B, ...]` each."""
        sizes = self.state_size if isinstance(self.state_size, (list, tuple)) else [self.state_size]
        return [ops.zeros((batch_size, size), dtype=self.compute_dtype) for size in sizes]

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to make the cell again."""
        return {**super().get_config(), "units": self.units, "seed": self.seed}

    def input_dim(self, input_shape: tuple[int | None, ...]) -> int:
        """Return D, the last dimension of the inputs.

        Raises:
            ValueError: If it is not known.
        """
        if input_shape[-1] is None:
            raise ValueError(f"the last dimension of the inputs must be known, got {input_shape}")
        return input_shape[-1]

    def to_state_dtype(self, x: Tensor) -> Tensor:
        """Return a tensor in the dtype of the recurrence."""
        return ops.cast(x, self.state_dtype)

    def mask(self, shape: tuple[Any, ...], rate: float) -> Any:
        """Draw a boolean for each entry, false with probability `rate`; `()` if that is zero."""
        if not rate:
            return ()
        return keras.random.uniform(shape, dtype="float32", seed=self.seed_generator) >= rate


class RecurrentLayer(keras.layers.RNN):
    """A `RecurrentCell` over a sequence: what all of our layers share.

    Args:
        cell: The cell.
        implementation: `"auto"` takes the fused loop where it exists: on JAX always; on
            TensorFlow's CPU inside `fit`, `predict` or any `tf.function`, for sequences of a known
            length. `"fused"` always takes it; `"plain"` never. Weights and results are the same.
        **kwargs: Those of `keras.layers.RNN`: `return_sequences`, `return_state`, `go_backwards`,
            `stateful`, `unroll`, `zero_output_for_mask`, and of `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of its range, or `implementation="fused"` can't be.
    """

    def __init__(self, cell: RecurrentCell, implementation: str = "auto", **kwargs: Any) -> None:
        if implementation not in dispatch.IMPLEMENTATIONS:
            expected = ", ".join(map(repr, dispatch.IMPLEMENTATIONS))
            raise ValueError(f"implementation must be one of {expected}, got {implementation!r}")
        super().__init__(cell, **kwargs)
        self.input_spec = [keras.layers.InputSpec(ndim=3)]
        self.implementation = implementation
        if implementation == "fused" and (obstacle := dispatch.why_not_fusable(self)):
            raise ValueError(f"implementation='fused' can't be: {obstacle}")

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> Any:
        """Run over sequences `[B, T, D]`; arguments and result as those of `keras.layers.RNN`.

        Raises:
            ValueError: If T is 0.
        """
        if sequences.shape[1] == 0:
            shape = tuple(sequences.shape)
            raise ValueError(f"sequences must have at least one step, got shape {shape}")
        # Keras casts no integers, and the fused loop multiplies no integers by floats.
        sequences = ops.cast(sequences, self.compute_dtype)
        return super().call(sequences, initial_state, mask, training)

    def inner_loop(
        self, sequences: Tensor, initial_state: list[Tensor], mask: Tensor | None, training=False
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Loop over time; what does not depend on the state is done for all steps beforehand."""
        if dispatch.should_fuse(self, sequences):
            return dispatch.run(self, sequences, initial_state, mask, training)
        draws: Masks = ()
        if training and self.cell.is_random:
            draws = self.cell.draw(*ops.shape(sequences)[:2])
        inputs = (self.cell.precompute_inputs(sequences, draws), draws)
        states = [self.cell.to_state_dtype(state) for state in initial_state]
        step = self.cell.make_step()
        return time_loop.run(
            self, lambda one, states: step(one[0], states, one[1]), inputs, states, mask, training
        )

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to make the layer again."""
        config = super().get_config()
        del config["cell"]
        cell_config = self.cell.get_config()
        for key in ("name", "trainable", "dtype"):
            cell_config.pop(key, None)
        return {**cell_config, **config, "implementation": self.implementation}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RecurrentLayer:
        """Make the layer from what `get_config` returned."""
        return cls(**config)

    @classmethod
    def _cell_name(cls) -> str:
        return f"{cls.__name__.lower()}_cell"
