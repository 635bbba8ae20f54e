"""Optimizers from the configuration, which skip steps with a non-finite gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from rumcli.cells.tensor import Tensor
from rumcli.config import OptimizerConfig, ScheduleConfig

_ADAM_EPSILON = 1e-7  # Keras's own


if TYPE_CHECKING:
    from keras.optimizers import Optimizer as _Optimizer
else:
    _Optimizer = object  # a subclass names the optimizer as its next base


class NonFiniteGuard(_Optimizer):
    """Mixin for optimizers, to be listed before the optimizer among the base classes.

    Args:
        *args: Arguments of the optimizer.
        skip_bad_steps: Whether to skip the update of weights and moments if a gradient is
            non-finite. Otherwise the update is applied, and the caller must check `gradient_norms`
            after the step and discard the weights.
        **kwargs: Keyword arguments of the optimizer.

    Attributes:
        gradient_norms: Euclidean norms `[W]` of the last step's gradients before clipping, in the
            order of the trainable weights.
    """

    def __init__(self, *args: Any, skip_bad_steps: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.skip_bad_steps = skip_bad_steps

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the optimizer's variables."""
        if self.built:
            return
        super().build(variables)
        self.gradient_norms = self.add_variable((len(variables),), name="gradient_norms")

    def scale_loss(self, loss: Tensor) -> Tensor:
        """Make the gradient non-finite if the loss is, and leave it unchanged otherwise."""
        one = ops.ones_like(loss)
        return super().scale_loss(loss * ops.where(ops.isfinite(loss), one, one * float("nan")))

    def apply(
        self, grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable] | None = None
    ) -> None:
        """Record the gradient norms and update the weights."""
        if not self.built:
            assert trainable_variables is not None
            self.build(list(trainable_variables))
        norms = _norms(grads, self.gradient_norms.dtype)
        self.gradient_norms.assign(norms)
        update = super().apply
        # JAX cannot update variables within a branch; `stateless_apply` returns the new values.
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
        """Return the updated weights and optimizer variables; used by the JAX trainer."""
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
        """Return the optimizer's configuration for `from_config`."""
        return {**super().get_config(), "skip_bad_steps": self.skip_bad_steps}


@keras.saving.register_keras_serializable("rumcli")
class Adam(NonFiniteGuard, keras.optimizers.Adam):
    """Keras's Adam with `NonFiniteGuard`."""


@keras.saving.register_keras_serializable("rumcli")
class RMSprop(NonFiniteGuard, keras.optimizers.RMSprop):
    """Keras's RMSprop with `NonFiniteGuard`.

    Args:
        *args: Arguments of the optimizer.
        initial_mean_square: Moving average of the squared gradient before the first step: 0 in
            Keras, 1 in TensorFlow 1, which makes the first steps smaller.
        **kwargs: Keyword arguments of the optimizer.
    """

    def __init__(self, *args: Any, initial_mean_square: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial_mean_square = initial_mean_square

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the optimizer's variables."""
        if self.built:
            return
        super().build(variables)
        if self.initial_mean_square:
            for variable in self._velocities:
                variable.assign(ops.full_like(variable, self.initial_mean_square))

    def get_config(self) -> dict[str, Any]:
        """Return the optimizer's configuration for `from_config`."""
        return {**super().get_config(), "initial_mean_square": self.initial_mean_square}


def _norms(gradients: Sequence[Tensor], dtype: str) -> Tensor:
    zero = ops.zeros((), dtype)  # norm for a weight without gradient
    return ops.stack(
        [zero if gradient is None else _norm(gradient, dtype) for gradient in gradients]
    )


def _norm(gradient: Tensor, dtype: str) -> Tensor:
    # TensorFlow's sparse gradient of an embedding becomes dense here.
    dense = ops.cast(ops.convert_to_tensor(gradient, sparse=False), dtype)
    return ops.sqrt(ops.sum(ops.square(dense)))


def _are_good(norms: Tensor) -> Tensor:
    return ops.isfinite(ops.sum(ops.square(norms)))


def make(
    config: OptimizerConfig, steps: int, summed_over: int = 1, skip_bad_steps: bool = False
) -> keras.optimizers.Optimizer:
    """Create an optimizer that acts on the mean loss as if on the sum of its terms.

    A loss L times as large has gradients L g. Clipping L g to norm c equals L times g clipped to
    c/L. Adam's step m/(√v + ε) for L g equals the step for g with ε/L. RMSprop's step g/√(v + ε)
    for L g equals the step for g with ε/L², and with an initial v divided by L² too.

    Args:
        config: Configuration of the optimizer.
        steps: Length of the run in steps, over which the schedule extends.
        summed_over: Number of loss terms in the sum, L.
        skip_bad_steps: Whether to skip the update if the loss or a gradient is non-finite.

    Returns:
        The optimizer, a subclass of `NonFiniteGuard`.
    """
    options: dict[str, Any] = config.model_dump(exclude={"schedule"})
    name, clip_norm = options.pop("name"), options.pop("clip_norm")
    options["skip_bad_steps"] = skip_bad_steps
    options["learning_rate"] = learning_rate(config.learning_rate, config.schedule, steps)
    if clip_norm is not None:
        options["global_clipnorm"] = clip_norm / summed_over
    if name == "adam":
        return Adam(**options, epsilon=_ADAM_EPSILON / summed_over)
    for key in ("epsilon", "initial_mean_square"):
        options[key] /= summed_over**2
    return RMSprop(**options)


def learning_rate(
    highest: float, config: ScheduleConfig, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate: a constant, or a schedule over the number of completed steps."""
    schedules = keras.optimizers.schedules
    if config.name == "drop":
        last = round(config.decay_at * steps) - 1  # the last step before the drop
        return schedules.PiecewiseConstantDecay([last], [highest, highest * config.factor])
    if config.name == "cosine":
        warmup = config.warmup_steps
        return schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else highest,
            decay_steps=max(1, steps - warmup),
            alpha=config.final_fraction,
            warmup_target=highest if warmup else None,
            warmup_steps=warmup,
        )
    return highest
