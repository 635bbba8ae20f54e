"""The optimizer of a run: its learning rate over the steps, and the scale of its gradients."""

from __future__ import annotations

from typing import Any

import keras

from rumcli.config import OptimizerConfig, ScheduleConfig
from rumcli.models import nonfinite_guard

_EPSILON = 1e-7  # Keras's own


def make(
    config: OptimizerConfig, steps: int, summed_over: int = 1, skip_bad_steps: bool = False
) -> keras.optimizers.Optimizer:
    """Make an optimizer of a mean loss that acts as one of the summed loss would.

    With a loss L times as large every gradient g becomes L g. Clipped to a norm c that is L times g
    clipped to c/L. Adam's step m/(√v + ε) is then that of g with ε/L, and RMSProp's, g/√(v + ε),
    that with ε/L².

    Args:
        config: The configured optimizer.
        steps: Length of the run, which the schedule is spread over.
        summed_over: L, the number of terms of the loss whose sum is meant.
        skip_bad_steps: Whether a loss or gradient that is not finite leaves the weights as they
            are.
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
    """Return the learning rate, as a function of the number of steps done where it changes."""
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
