"""The Rotational Unit of Memory with λ = 0: `RUMCell` (one step) and `RUM` (the layer).

Source: arXiv:1710.09537. Only mathematics here: no files, no printing, no argument parsing.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import activations, initializers, ops

from rumcli.cells import fused, loop
from rumcli.cells.normalization import layer_norm, per_block, scale_to_norm
from rumcli.cells.rotation import bisector, computation_dtype, reflect, unit

Tensor = Any

_LAYER_NORM_ORDERS = ("before_sigmoid", "after_sigmoid")


@keras.saving.register_keras_serializable(package="rumcli")
class RUMCell(keras.layers.Layer):
    """One step of the Rotational Unit of Memory, λ = 0.

    With input `x [B, D]` and state `h [B, H]`:

        (r, u) = [x, h] W_g + b_g        target memory and update gate
        u      = σ(u)
        x̃      = x W_c                   embedded input
        h̃      = f(x̃ + Rotation(x̃ → r) h)
        h'     = u ⊙ h + (1 − u) ⊙ h̃
        h'     = η h'/|h'|               if `time_norm` is given

    Args:
        units: Size of the state, H.
        activation: f. Any Keras activation.
        time_norm: The time norm η > 0, or None for none.
        layer_norm: Whether to normalise `r`, `u` and the argument of f over the units.
        layer_norm_order: Where `u` is normalised: `"before_sigmoid"` keeps it in (0, 1);
            `"after_sigmoid"` is what the published language models were trained with, and there
            `u` can leave [0, 1].
        zoneout: Probability, in [0, 1), that a unit keeps its previous value in a training step.
            In inference the expectation is taken. Source: arXiv:1606.01305.
        update_gate: Whether the update gate exists; without it `h' = h̃`.
        kernel_initializer: For `W_c` and, one by one, for the parts of `W_g` that make `r` and `u`.
        bias_initializer: For `b_g` and a bias of `W_c`. None: `b_g` starts at one and `W_c` has
            no bias, as published.
        seed: Seed of the zoneout masks.
        **kwargs: Those of `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of its range.

    Source: arXiv:1710.09537, section 3 and figure 1.
    """

    def __init__(
        self,
        units: int,
        activation: Any = "relu",
        time_norm: float | None = None,
        layer_norm: bool = False,
        layer_norm_order: str = "before_sigmoid",
        zoneout: float = 0.0,
        update_gate: bool = True,
        kernel_initializer: Any = "orthogonal",
        bias_initializer: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"units must be a positive integer, got {units!r}")
        if time_norm is not None and not 0 < time_norm < float("inf"):
            raise ValueError(f"time_norm must be a positive number or None, got {time_norm!r}")
        if layer_norm_order not in _LAYER_NORM_ORDERS:
            expected = " or ".join(map(repr, _LAYER_NORM_ORDERS))
            raise ValueError(f"layer_norm_order must be {expected}, got {layer_norm_order!r}")
        if not 0 <= zoneout < 1:
            raise ValueError(f"zoneout must be in [0, 1), got {zoneout!r}")
        super().__init__(**kwargs)
        self.units = units
        self.activation = activations.get(activation)
        self.time_norm = time_norm
        self.layer_norm = layer_norm
        self.layer_norm_order = layer_norm_order
        self.zoneout = zoneout
        self.update_gate = update_gate
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.state_size: Any = units
        self.output_size = units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of shape `[B, D]`.

        Raises:
            ValueError: If D is not known.
        """
        features = input_shape[-1]
        if features is None:
            raise ValueError(f"the last dimension of the inputs must be known, got {input_shape}")
        gates = 2 if self.update_gate else 1
        self.gate_kernel = self.add_weight(
            name="gate_kernel",
            shape=(features + self.units, gates * self.units),
            initializer=per_block(self.kernel_initializer, gates),
        )
        self.gate_bias = self.add_weight(
            name="gate_bias",
            shape=(gates * self.units,),
            initializer=self.bias_initializer or "ones",
        )
        self.candidate_kernel = self.add_weight(
            name="candidate_kernel",
            shape=(features, self.units),
            initializer=self.kernel_initializer,
        )
        self.candidate_bias = None
        if self.bias_initializer is not None:
            self.candidate_bias = self.add_weight(
                name="candidate_bias", shape=(self.units,), initializer=self.bias_initializer
            )
        if self.layer_norm:
            for part, size in (("gate", gates * self.units), ("candidate", self.units)):
                for weight, start in (("gain", "ones"), ("offset", "zeros")):
                    name = f"{part}_{weight}"
                    setattr(
                        self, name, self.add_weight(name=name, shape=(size,), initializer=start)
                    )
        self.built = True

    # What follows is split in two so that the layer can do the first part for all steps at once.

    def project(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute all that does not depend on the state.

        Args:
            inputs: `[..., D]`.

        Returns:
            The embedded input x̃ and its direction, both `[..., H]`, and the inputs' share of
            the gates, `[..., 2H]`.
        """
        features = self.gate_kernel.shape[0] - self.units
        embedded = ops.matmul(inputs, self.candidate_kernel)
        if self.candidate_bias is not None:
            embedded = embedded + self.candidate_bias
        gates = ops.matmul(inputs, self.gate_kernel[:features]) + self.gate_bias
        embedded = self._at_full_precision(embedded)
        return embedded, unit(embedded), self._at_full_precision(gates)

    def step(
        self, projected: tuple[Tensor, ...], states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance the state by one step.

        Args:
            projected: What `project` returned, for one step; then, in training with zoneout, the
                share of the new value that each unit takes, `[B, H]`.
            states: The hidden state `[B, H]`, then whatever `recall` needs.

        Returns:
            The output `[B, H]` and the new states.
        """
        embedded, axis, gates, *share = projected
        hidden_state, *memory = states
        target, update = self._gates(gates, hidden_state)
        recalled, memory = self.recall(axis, unit(target), hidden_state, memory)
        candidate = embedded + recalled
        if self.layer_norm:
            candidate = layer_norm(candidate, *self._gain_and_offset("candidate"))
        new_state = self.activation(candidate)
        if update is not None:
            new_state = update * hidden_state + (1.0 - update) * new_state
        if self.time_norm is not None:
            new_state = scale_to_norm(new_state, self.time_norm)
        if self.zoneout:
            new_share = share[0] if share else 1.0 - self.zoneout
            new_state = hidden_state + new_share * (new_state - hidden_state)
        return new_state, [new_state, *memory]

    def recall(
        self, axis: Tensor, direction: Tensor, hidden_state: Tensor, memory: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Rotate the hidden state from the embedded input towards the target memory.

        Args:
            axis: Direction of the embedded input, `[B, H]`, of length 1 or 0.
            direction: Direction of the target memory, `[B, H]`, of length 1 or 0.
            hidden_state: `[B, H]`.
            memory: States besides the hidden state; none here.

        Returns:
            The rotated state `[B, H]` and the new memory.
        """
        return reflect(bisector(axis, direction), reflect(axis, hidden_state)), memory

    def zoneout_shares(self, shape: tuple[Any, ...]) -> Tensor:
        """Draw, per unit, 1 where the new value is taken and 0 where the previous one is kept."""
        return ops.cast(self.zoneout_mask(shape), self.state_dtype)

    def zoneout_mask(self, shape: tuple[Any, ...]) -> Tensor:
        """Draw, per unit, whether the new value is taken."""
        draws = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        return draws >= self.zoneout

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
            training: Whether zoneout draws.

        Returns:
            The output `[B, H]` and the new states, in the form in which they came.

        Raises:
            ValueError: If zoneout would draw inside a loop of JAX, where each step would get the
                same mask. `RUM` and `ARUM` draw for all steps before the loop.
        """
        nested = isinstance(states, (list, tuple))
        states = [self._at_full_precision(s) for s in (states if nested else [states])]
        projected: tuple[Tensor, ...] = self.project(inputs)
        if training and self.zoneout:
            if keras.config.backend() == "jax":
                raise ValueError(
                    f"a bare {type(self).__name__} cannot draw zoneout masks in a loop of JAX; "
                    f"use the layer {type(self).__name__.removesuffix('Cell')} instead"
                )
            projected = (*projected, self.zoneout_shares(ops.shape(projected[0])))
        output, new_states = self.step(projected, states)
        new_states = [ops.cast(s, self.compute_dtype) for s in new_states]
        output = ops.cast(output, self.compute_dtype)
        return output, (new_states if nested else new_states[0])

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """Return the state before the first step: zeros `[B, H]`."""
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype)]

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to make the cell again."""
        config = {
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "time_norm": self.time_norm,
            "layer_norm": self.layer_norm,
            "layer_norm_order": self.layer_norm_order,
            "zoneout": self.zoneout,
            "update_gate": self.update_gate,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": self.bias_initializer
            and initializers.serialize(self.bias_initializer),
            "seed": self.seed,
        }
        return {**super().get_config(), **config}

    def _gates(self, inputs_share: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor | None]:
        features = self.gate_kernel.shape[0] - self.units
        state_share = ops.matmul(
            ops.cast(hidden_state, self.compute_dtype), self.gate_kernel[features:]
        )
        gates = inputs_share + self._at_full_precision(state_share)
        target, update = gates[:, : self.units], gates[:, self.units :]
        after_sigmoid = self.layer_norm_order == "after_sigmoid"
        if self.layer_norm:
            gain, offset = self._gain_and_offset("gate")
            target = layer_norm(target, gain[: self.units], offset[: self.units])
        if not self.update_gate:
            return target, None
        if not self.layer_norm:
            return target, ops.sigmoid(update)
        if after_sigmoid:
            update = ops.sigmoid(update)
        update = layer_norm(update, gain[self.units :], offset[self.units :])
        return target, update if after_sigmoid else ops.sigmoid(update)

    def _gain_and_offset(self, part: str) -> tuple[Tensor, Tensor]:
        return (
            self._at_full_precision(getattr(self, f"{part}_gain")),
            self._at_full_precision(getattr(self, f"{part}_offset")),
        )

    def _at_full_precision(self, x: Tensor) -> Tensor:
        return ops.cast(x, self.state_dtype)


@keras.saving.register_keras_serializable(package="rumcli")
class RUM(keras.layers.RNN):
    """The Rotational Unit of Memory, λ = 0, over a sequence.

    Inputs are `[B, T, D]`; outputs are `[B, H]`, or `[B, T, H]` with `return_sequences`.

    Args:
        units: Size of the state, H.
        activation: See `RUMCell`, as for all arguments up to `seed`.
        time_norm: The time norm η > 0, or None.
        layer_norm: Whether to normalise over the units.
        layer_norm_order: `"before_sigmoid"` or, as published, `"after_sigmoid"`.
        zoneout: Probability that a unit keeps its previous value in a training step.
        update_gate: Whether the update gate exists.
        kernel_initializer: For the kernels.
        bias_initializer: For the biases, or None for the published ones.
        seed: Seed of the zoneout masks.
        implementation: `"auto"` takes the fused loop where it exists: on TensorFlow's CPU, inside
            `fit`, `predict` or any `tf.function`, for sequences of a known length; `"fused"`
            always takes it; `"plain"` never. Weights and results are the same.
        **kwargs: Those of `keras.layers.RNN`: `return_sequences`, `return_state`, `go_backwards`,
            `stateful`, `unroll`, `zero_output_for_mask`, and of `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of its range, or `implementation="fused"` can't be.

    Source: arXiv:1710.09537, section 3 and figure 1.
    """

    cell_class: type[RUMCell] = RUMCell

    def __init__(
        self,
        units: int,
        activation: Any = "relu",
        time_norm: float | None = None,
        layer_norm: bool = False,
        layer_norm_order: str = "before_sigmoid",
        zoneout: float = 0.0,
        update_gate: bool = True,
        kernel_initializer: Any = "orthogonal",
        bias_initializer: Any = None,
        seed: int | None = None,
        implementation: str = "auto",
        **kwargs: Any,
    ) -> None:
        if implementation not in fused.IMPLEMENTATIONS:
            expected = ", ".join(map(repr, fused.IMPLEMENTATIONS))
            raise ValueError(f"implementation must be one of {expected}, got {implementation!r}")
        cell = self.cell_class(
            units,
            activation=activation,
            time_norm=time_norm,
            layer_norm=layer_norm,
            layer_norm_order=layer_norm_order,
            zoneout=zoneout,
            update_gate=update_gate,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            seed=seed,
            dtype=kwargs.get("dtype"),
            name=self._cell_name(),
        )
        super().__init__(cell, **kwargs)
        self.input_spec = [keras.layers.InputSpec(ndim=3)]
        self.implementation = implementation
        self.memory_is_empty = False
        if implementation == "fused" and (obstacle := fused.obstacle(self)):
            raise ValueError(f"implementation='fused' can't be: {obstacle}")

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> Any:
        """Run over sequences `[B, T, D]`; arguments and result as those of `keras.layers.RNN`."""
        # Once Keras has filled it in, an initial state can't be told from one that was given.
        self.memory_is_empty = initial_state is None and not self.stateful
        return super().call(sequences, initial_state, mask, training)

    def inner_loop(
        self, sequences: Tensor, initial_state: list[Tensor], mask: Tensor | None, training=False
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Loop over time; the inputs' matrix products are done for all steps beforehand."""
        if fused.is_taken(self, sequences):
            return fused.run(self, sequences, initial_state, mask, training)
        projected = self.cell.project(sequences)
        if training and self.cell.zoneout:
            projected = (*projected, self.cell.zoneout_shares(ops.shape(projected[0])))
        states = [ops.cast(state, self.cell.state_dtype) for state in initial_state]
        return loop.run(self, self.cell.step, projected, states, mask)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs to make the layer again."""
        config = super().get_config()
        del config["cell"]
        cell_config = self.cell.get_config()
        for key in ("name", "trainable", "dtype"):
            cell_config.pop(key, None)
        return {**cell_config, **config, "implementation": self.implementation}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> RUM:
        """Make the layer from what `get_config` returned."""
        return cls(**config)

    @classmethod
    def _cell_name(cls) -> str:
        return f"{cls.__name__.lower()}_cell"
