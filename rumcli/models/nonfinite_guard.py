"""Optimizers that keep the norm of each weight's gradient, and may leave a bad step out.

A gradient is bad if it, or the square of its norm, is not finite: whatever the optimizer makes of
such a gradient stays in its moments for the rest of the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any


class NonFiniteGuard:
    """Goes before an optimizer among the bases of a class.

    Args:
        *args: Those of the optimizer.
        skip_bad_steps: Whether a bad gradient leaves weights and moments as they are. If not, it is
            applied: whoever reads `gradient_norms` after the step throws the weights away.
        **kwargs: Those of the optimizer.

    Attributes:
        gradient_norms: The Euclidean norms of the last step's gradients, before they are clipped,
            in the order of the trainable weights: `[W]`.
    """

    def __init__(self, *args: Any, skip_bad_steps: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.skip_bad_steps = skip_bad_steps

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Make the optimizer's variables."""
        if self.built:
            return
        super().build(variables)
        self.gradient_norms = self.add_variable((len(variables),), name="gradient_norms")

    def scale_loss(self, loss: Tensor) -> Tensor:
        """Make the gradient bad where the loss is, and change nothing where it is finite."""
        one = ops.ones_like(loss)
        return super().scale_loss(loss * ops.where(ops.isfinite(loss), one, one * float("nan")))

    def apply(
        self, grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        """Note the norms, and update the weights."""
        if not self.built:
            self.build(list(trainable_variables))
        norms = _norms(grads, self.gradient_norms.dtype)
        self.gradient_norms.assign(norms)
        update = super().apply
        # Without TensorFlow's variables a branch has to return what it changes: `stateless_apply`.
        if self.skip_bad_steps and keras.backend.backend() != "jax":
            ops.cond(_are_good(norms), lambda: update(grads, trainable_variables), lambda: None)
        else:
            update(grads, trainable_variables)

    def stateless_apply(
        self,
        optimizer_variables: Sequence[Tensor],
        grads: Sequence[Tensor],
        trainable_variables: Sequence[Tensor],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Return the weights and the optimizer's variables after a step, as JAX has it."""
        update = super().stateless_apply
        if not self.skip_bad_steps:
            return update(optimizer_variables, grads, trainable_variables)
        norms = _norms(grads, self.gradient_norms.dtype)
        before = [
            norms if variable is self.gradient_norms else value
            for variable, value in zip(self.variables, optimizer_variables, strict=True)
        ]
        return ops.cond(
            _are_good(norms),
            lambda: update(optimizer_variables, grads, trainable_variables),
            lambda: (list(trainable_variables), before),
        )

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` makes the same optimizer of."""
        return {**super().get_config(), "skip_bad_steps": self.skip_bad_steps}


@keras.saving.register_keras_serializable("rumcli")
class Adam(NonFiniteGuard, keras.optimizers.Adam):
    """Keras's Adam, guarded."""


@keras.saving.register_keras_serializable("rumcli")
class RMSprop(NonFiniteGuard, keras.optimizers.RMSprop):
    """Keras's RMSProp, guarded."""


def _norms(gradients: Sequence[Tensor], dtype: str) -> Tensor:
    zero = ops.zeros((), dtype)  # of a weight that the loss does not depend on
    return ops.stack(
        [zero if gradient is None else _norm(gradient, dtype) for gradient in gradients]
    )


def _norm(gradient: Tensor, dtype: str) -> Tensor:
    # TensorFlow's sparse gradient of an embedding becomes dense here.
    dense = ops.cast(ops.convert_to_tensor(gradient, sparse=False), dtype)
    return ops.sqrt(ops.sum(ops.square(dense)))


def _are_good(norms: Tensor) -> Tensor:
    return ops.isfinite(ops.sum(ops.square(norms)))
