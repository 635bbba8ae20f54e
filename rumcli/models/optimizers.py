"""Optimizer of a run: learning-rate schedule and scaling to a summed loss."""

from __future__ import annotations

from typing import Any

import keras

from rumcli.config import OptimizerConfig, ScheduleConfig
from rumcli.models import nonfinite_guard

_EPSILON = 1e-7  # Keras's own


def make(
    config: OptimizerConfig, steps: int, summed_over: int = 1, skip_bad_steps: bool = False
) -> keras.optimizers.Optimizer:
    """Create an optimizer that acts on the mean loss as if on the sum of its terms.

    A loss L times as large has gradients L g. Clipping L g to norm c equals L times g clipped to
    c/L. Adam's step m/(√v + ε) for L g equals the step for g with ε/L. RMSprop's step g/√(v + ε)
    for L g equals the step for g with ε/L².

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
        return nonfinite_guard.Adam(**options, epsilon=_EPSILON / summed_over)
    return nonfinite_guard.RMSprop(**options, epsilon=_EPSILON / summed_over**2)


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
