"""Schema of the optimizers and learning rate schedules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rumcli.config.field_types import LARGEST, Fraction, Rate, Section

_Share = Annotated[float, Field(gt=0.0, lt=1.0)]


class ConstantSchedule(Section):
    """Constant learning rate."""

    name: Literal["constant"] = "constant"


class DropSchedule(Section):
    """Learning rate that is multiplied by `factor` once, at `decay_at`."""

    name: Literal["drop"] = "drop"
    factor: Annotated[_Share, Field(description="what it is multiplied by")] = 0.1
    decay_at: Annotated[_Share, Field(description="share of the run's steps before it")] = 0.9


class CosineSchedule(Section):
    """Linear warmup of the learning rate, followed by cosine decay."""

    name: Literal["cosine"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    final_fraction: Annotated[
        Fraction, Field(description="share of the learning rate at the end")
    ] = 0.0


ScheduleConfig = Annotated[
    ConstantSchedule | DropSchedule | CosineSchedule, Field(discriminator="name")
]


class _OptimizerBase(Section):
    learning_rate: Rate = 1e-3
    schedule: ScheduleConfig = ConstantSchedule()
    clip_norm: Annotated[Rate | None, Field(description="largest global gradient norm")] = None


class RMSPropConfig(_OptimizerBase):
    """RMSProp."""

    name: Literal["rmsprop"] = "rmsprop"
    rho: Fraction = 0.9


class AdamConfig(_OptimizerBase):
    """Adam."""

    name: Literal["adam"] = "adam"
    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999


OptimizerConfig = Annotated[RMSPropConfig | AdamConfig, Field(discriminator="name")]
