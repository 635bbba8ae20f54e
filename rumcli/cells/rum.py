"""Rotational Unit of Memory with λ = 0: `RUMCell` (one step) and `RUM` (layer).

Source: arXiv:1710.09537. Pure math, no I/O.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import activations, initializers, ops

from rumcli.cells import argument_validation
from rumcli.cells.base import Masks, RecurrentCell, RecurrentLayer
from rumcli.cells.fused import dispatch
from rumcli.cells.ops.elementwise import activate
from rumcli.cells.ops.normalization import layer_norm, per_block, scale_to_norm, scaled
from rumcli.cells.ops.rotation import bisector, reflect, unit
from rumcli.cells.tensor import Tensor

_LAYER_NORM_ORDERS = ("before_sigmoid", "after_sigmoid")
# Scale of the embedded input relative to the target for `initial_rotation="identity"`: the state
# changes little at first. Measured on copying memory: docs/results.md.
_IDENTITY_CANDIDATE_SCALE = 0.1


@dispatch.register("rumcli.cells.fused.layer_adapter:rum")
@keras.saving.register_keras_serializable(package="rumcli")
class RUMCell(RecurrentCell):
    """One step of the Rotational Unit of Memory, λ = 0.

    With input `x [B, D]` and state `h [B, H]`:

        (r, u) = [x, h] W_g + b_g        target memory and update gate
        u      = σ(u)
        x̃      = x W_c                   embedded input; + b_c with `candidate_bias`
        h̃      = f(x̃ + Rotation(x̃ → r) h)
        h'     = u ⊙ h + (1 − u) ⊙ h̃
        h'     = η h'/|h'|               if `time_norm` is given

    Args:
        units: Size of the state, H.
        activation: Activation f, any Keras activation.
        time_norm: Time norm η > 0, or None to leave the state unnormalized.
        layer_norm: Whether to normalize `r`, `u` and the argument of f over the units.
        layer_norm_order: Position of the normalization of `u`. `"before_sigmoid"` keeps `u` in
            (0, 1). `"after_sigmoid"`, the order of the published language models, allows `u` to
            leave [0, 1].
        zoneout: Probability, in [0, 1), that a unit keeps its previous value in a training step.
            Inference uses the expected value. Source: arXiv:1606.01305.
        update_gate: Whether to use the update gate; without it `h' = h̃`.
        kernel_initializer: Initializer of `W_c` and, drawn separately, of the blocks of `W_g` for
            `r` and `u`.
        bias_initializer: Initializer of `b_g` and `b_c`. None initializes `b_g` to one and `b_c` to
            zero.
        candidate_bias: Whether the embedded input has a bias `b_c`. The paper's equation and the
            original implementation until June 2018 include it; the last version does not.
        initial_rotation: Initial rotation, `"identity"` or None. With `"identity"` the target is
            initially parallel to the embedded input, so that without layer norm every rotation is
            the identity. The input block of `W_g` for `r` is drawn by `kernel_initializer` and
            `W_c` is a tenth of it. The state block of `W_g` for `r` and the biases of `r` and of
            the embedded input are zero. With None all kernels are drawn independently.
        trainable_rotation: Whether `W_g` and `b_g`, which determine the target and the update gate,
            are trained. If False they keep their initial values.
        seed: Seed of the zoneout masks.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        ValueError: If an argument is out of range.

    Source: arXiv:1710.09537, section 3 and figure 1.

    Example:
        >>> from rumcli.cells import RUMCell
        >>> RUMCell(16, time_norm=1.0).state_size
        16
    """

    config_names = (
        "activation",
        "time_norm",
        "layer_norm",
        "layer_norm_order",
        "zoneout",
        "update_gate",
        "kernel_initializer",
        "bias_initializer",
        "initial_rotation",
        "trainable_rotation",
        "seed",
    )

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
        candidate_bias: bool = False,
        initial_rotation: str | None = None,
        trainable_rotation: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        time_norm = argument_validation.positive_number_or_none("time_norm", time_norm)
        layer_norm_order = argument_validation.choice(
            "layer_norm_order", layer_norm_order, _LAYER_NORM_ORDERS
        )
        if initial_rotation not in (None, "identity"):
            raise ValueError(
                f"initial_rotation must be 'identity' or None, got {initial_rotation!r}"
            )
        zoneout = argument_validation.rate("zoneout", zoneout)
        layer_norm = argument_validation.boolean("layer_norm", layer_norm)
        update_gate = argument_validation.boolean("update_gate", update_gate)
        candidate_bias = argument_validation.boolean("candidate_bias", candidate_bias)
        trainable = argument_validation.boolean("trainable_rotation", trainable_rotation)
        super().__init__(units, seed=seed, **kwargs)
        self.activation = activations.get(activation)
        self.time_norm = time_norm
        self.layer_norm = layer_norm
        self.layer_norm_order = layer_norm_order
        self.zoneout = zoneout
        self.update_gate = update_gate
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.has_candidate_bias = candidate_bias
        self.initial_rotation = initial_rotation
        self.trainable_rotation = trainable

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of shape `[B, D]`.

        Raises:
            ValueError: If D is None.
        """
        features = self.input_dim(input_shape)
        gates = 2 if self.update_gate else 1
        gate_kernel = per_block(self.kernel_initializer, gates)
        gate_bias, candidate_kernel = self.bias_initializer or "ones", self.kernel_initializer
        candidate_bias = self.bias_initializer or "zeros"
        if self.initial_rotation == "identity":
            gate_kernel = self._along_the_input(gate_kernel, features)
            gate_bias = self._without_target_bias(gate_bias)
            candidate_kernel = scaled(candidate_kernel, _IDENTITY_CANDIDATE_SCALE)
            candidate_bias = "zeros"
        self.gate_kernel = self.add_weight(
            name="gate_kernel",
            shape=(features + self.units, gates * self.units),
            initializer=gate_kernel,
            trainable=self.trainable_rotation,
        )
        self.gate_bias = self.add_weight(
            name="gate_bias",
            shape=(gates * self.units,),
            initializer=gate_bias,
            trainable=self.trainable_rotation,
        )
        self.candidate_kernel = self.add_weight(
            name="candidate_kernel",
            shape=(features, self.units),
            initializer=candidate_kernel,
        )
        self.candidate_bias = None
        if self.has_candidate_bias:
            self.candidate_bias = self.add_weight(
                name="candidate_bias", shape=(self.units,), initializer=candidate_bias
            )
        if self.layer_norm:
            for part, size in (("gate", gates * self.units), ("candidate", self.units)):
                for weight, start in (("gain", "ones"), ("offset", "zeros")):
                    name = f"{part}_{weight}"
                    setattr(
                        self, name, self.add_weight(name=name, shape=(size,), initializer=start)
                    )
        self.built = True

    def precompute_inputs(self, inputs: Tensor, masks: Masks = ()) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the terms that do not depend on the state.

        Args:
            inputs: Inputs `[..., D]`.
            masks: Unused.

        Returns:
            The embedded input x̃ and its direction, both `[..., H]`, and the input and bias terms
            of the gates, `[..., 2H]`, or `[..., H]` without update gate.
        """
        features = self.gate_kernel.shape[0] - self.units
        embedded = ops.matmul(inputs, self.candidate_kernel)
        if self.candidate_bias is not None:
            embedded = embedded + self.candidate_bias
        gates = ops.matmul(inputs, self.gate_kernel[:features]) + self.gate_bias
        embedded = self.to_state_dtype(embedded)
        return embedded, unit(embedded), self.to_state_dtype(gates)

    def step(
        self, projected: tuple[Tensor, ...], states: list[Tensor], masks: Masks = ()
    ) -> tuple[Tensor, list[Tensor]]:
        """Advance the state by one step.

        Args:
            projected: Result of `precompute_inputs` for one step.
            states: Hidden state `[B, H]`, followed by the memory that `recall` uses.
            masks: Result of `draw` for one step; empty in inference.

        Returns:
            The output `[B, H]` and the new states.
        """
        embedded, axis, gates = projected
        hidden_state, *memory = states
        target, update = self.gates(gates, hidden_state)
        recalled, memory = self.recall(axis, unit(target), hidden_state, memory)
        candidate = embedded + recalled
        if self.layer_norm:
            candidate = layer_norm(candidate, *self._gain_and_offset("candidate"))
        new_state = activate(self.activation, candidate)
        if update is not None:
            new_state = update * hidden_state + (1.0 - update) * new_state
        if self.time_norm is not None:
            new_state = scale_to_norm(new_state, self.time_norm)
        (new_state,) = self.zone_out([new_state], [hidden_state], masks)
        return new_state, [new_state, *memory]

    def gates(self, inputs_share: Tensor, hidden_state: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute the target memory and the update gate.

        Args:
            inputs_share: Input and bias terms of the gates for one step, the last result of
                `precompute_inputs`.
            hidden_state: Hidden state `[B, H]`.

        Returns:
            The target memory r `[B, H]`, and the update gate u `[B, H]`, or None without one.
        """
        features = self.gate_kernel.shape[0] - self.units
        state_share = ops.matmul(
            ops.cast(hidden_state, self.compute_dtype), self.gate_kernel[features:]
        )
        gates = inputs_share + self.to_state_dtype(state_share)
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

    def recall(
        self, axis: Tensor, direction: Tensor, hidden_state: Tensor, memory: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Rotate the hidden state from the embedded input towards the target memory.

        Args:
            axis: Direction of the embedded input, `[B, H]`, of length 1 or 0.
            direction: Direction of the target memory, `[B, H]`, of length 1 or 0.
            hidden_state: Hidden state `[B, H]`.
            memory: States besides the hidden state; an empty list for λ = 0.

        Returns:
            The rotated state `[B, H]` and the new memory.
        """
        return reflect(bisector(axis, direction), reflect(axis, hidden_state)), memory

    @property
    def zoneouts(self) -> tuple[float, ...]:
        """Zoneout rate of the hidden state."""
        return (self.zoneout,)

    def get_config(self) -> dict[str, Any]:
        """Return the cell's configuration for `from_config`."""
        return {**super().get_config(), "candidate_bias": self.has_candidate_bias}

    def _along_the_input(self, kernel: Any, features: int) -> Any:
        """Return an initializer by which the target depends on the input only, as x̃ does."""

        def initialize(shape: tuple[int, int], dtype: str | None = None) -> Tensor:
            # A Keras initializer draws the same values on every call, so this is proportional to
            # `W_c`.
            input_term = self.kernel_initializer((features, self.units), dtype=dtype)
            state_term = ops.zeros((self.units, self.units), dtype=dtype)
            target = ops.concatenate([input_term, state_term])
            return ops.concatenate([target, kernel(shape, dtype=dtype)[:, self.units :]], axis=-1)

        return initialize

    def _without_target_bias(self, bias: Any) -> Any:
        def initialize(shape: tuple[int], dtype: str | None = None) -> Tensor:
            drawn = initializers.get(bias)(shape, dtype=dtype)
            return ops.where(ops.arange(shape[0]) < self.units, ops.zeros_like(drawn), drawn)

        return initialize

    def _gain_and_offset(self, part: str) -> tuple[Tensor, Tensor]:
        return (
            self.to_state_dtype(getattr(self, f"{part}_gain")),
            self.to_state_dtype(getattr(self, f"{part}_offset")),
        )


@keras.saving.register_keras_serializable(package="rumcli")
class RUM(RecurrentLayer):
    """Rotational Unit of Memory, λ = 0, over a sequence.

    Inputs are `[B, T, D]`; outputs are `[B, H]`, or `[B, T, H]` with `return_sequences`.

    Args:
        units: Size of the state, H.
        activation: Activation f. For details of this and the other arguments see `RUMCell`.
        time_norm: Time norm η > 0, or None to leave the state unnormalized.
        layer_norm: Whether to normalize over the units.
        layer_norm_order: Position of the update gate's normalization, `"before_sigmoid"` or, as
            published, `"after_sigmoid"`.
        zoneout: Probability that a unit keeps its previous value in a training step.
        update_gate: Whether to use the update gate.
        kernel_initializer: Initializer of the kernels.
        bias_initializer: Initializer of the biases, or None for a `b_g` of ones and a `b_c` of
            zeros.
        candidate_bias: Whether the embedded input has a bias `b_c`.
        initial_rotation: Initial rotation, `"identity"` or None.
        trainable_rotation: Whether target and update gate are trained.
        seed: Seed of the zoneout masks.
        implementation: Implementation of the time loop: `"auto"`, `"fused"` or `"plain"`; see
            `RecurrentLayer`.
        **kwargs: Arguments of `RecurrentLayer`, such as `return_sequences`.

    Raises:
        ValueError: If an argument is out of range, or `implementation="fused"` is unsupported.

    Source: arXiv:1710.09537, section 3 and figure 1.

    Example:
        >>> from rumcli.cells import RUM
        >>> layer = RUM(16, time_norm=1.0, return_sequences=True)
        >>> layer.compute_output_shape((2, 5, 3))
        (2, 5, 16)
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
        candidate_bias: bool = False,
        initial_rotation: str | None = None,
        trainable_rotation: bool = True,
        seed: int | None = None,
        implementation: str = "auto",
        **kwargs: Any,
    ) -> None:
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
            candidate_bias=candidate_bias,
            initial_rotation=initial_rotation,
            trainable_rotation=trainable_rotation,
            seed=seed,
            dtype=kwargs.get("dtype"),
            name=self._cell_name(),
        )
        super().__init__(cell, implementation=implementation, **kwargs)
        self.memory_is_empty = False

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> Any:
        """Apply the layer to sequences; for arguments and outputs see `RecurrentLayer.call`."""
        # Record this before Keras replaces a missing initial state by the default one.
        self.memory_is_empty = initial_state is None and not self.stateful
        return super().call(sequences, initial_state, mask, training)
