"""The schema of a run: every key, its type, its range and its default.

Only what a value may be; where values come from is in `build`.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_LARGEST_SEED = 2**32 - 1

Positive = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Rate = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Activation = Literal["relu", "tanh", "sigmoid", "softsign", "linear"]
Initializer = Literal["orthogonal", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal"]


class Split(enum.StrEnum):
    """The three parts of a task's data; no example is in two of them."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class _Section(BaseModel):
    # Strict: `units: "100"` and `steps: 10.5` are mistakes to be told of, not to be guessed at.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("an even integer")
    return value


class CopyingConfig(_Section):
    """Copying memory. Length T + 20, ten classes in, nine out."""

    name: Literal["copying"] = "copying"
    delay: Annotated[Positive, Field(description="T, time steps between symbols and recall")] = 200
    validation_examples: Positive = 512
    test_examples: Positive = 2048


class RecallConfig(_Section):
    """Associative recall. T/2 keys with values, then one key to answer: length T + 3."""

    name: Literal["recall"] = "recall"
    delay: Annotated[
        int, Field(ge=4, description="T, length of the keys and values"), AfterValidator(_even)
    ] = 50
    train_examples: Positive = 100_000
    validation_examples: Positive = 10_000
    test_examples: Positive = 20_000


class _RotationalConfig(_Section):
    units: Positive = 100
    activation: Activation = "relu"
    time_norm: Annotated[Rate | None, Field(description="η, the time norm, or null")] = None
    layer_norm: bool = False
    layer_norm_order: Literal["before_sigmoid", "after_sigmoid"] = "before_sigmoid"
    zoneout: Annotated[Fraction, Field(description="probability of keeping the old value")] = 0.0
    update_gate: bool = True
    kernel_initializer: Initializer = "orthogonal"
    bias_initializer: Literal["zeros", "ones"] | None = None
    implementation: Literal["auto", "fused", "plain"] = "auto"


class RUMConfig(_RotationalConfig):
    """RUM, λ = 0."""

    name: Literal["rum"] = "rum"


class ARUMConfig(_RotationalConfig):
    """RUM, λ = 1: with an associative memory."""

    name: Literal["arum"] = "arum"


class _KerasCellConfig(_Section):
    units: Positive = 100
    activation: Activation = "tanh"
    dropout: Fraction = 0.0
    recurrent_dropout: Fraction = 0.0


class LSTMConfig(_KerasCellConfig):
    """Keras's LSTM."""

    name: Literal["lstm"] = "lstm"


class GRUConfig(_KerasCellConfig):
    """Keras's GRU."""

    name: Literal["gru"] = "gru"


class RNNConfig(_KerasCellConfig):
    """Keras's SimpleRNN."""

    name: Literal["rnn"] = "rnn"


class ModelConfig(_Section):
    """What stands between the cell and the answer."""

    dropout: Annotated[Fraction, Field(description="share of the cell's outputs dropped")] = 0.0


class _OptimizerBase(_Section):
    learning_rate: Rate = 1e-3
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


class TrainConfig(_Section):
    """How long, and how often something is looked at or saved. Unit: training steps."""

    steps: Positive = 1000
    batch_size: Positive = 128
    eval_every: Positive = 100
    checkpoint_every: Positive = 100
    keep_checkpoints: Annotated[int, Field(ge=2)] = 2


TaskConfig = Annotated[CopyingConfig | RecallConfig, Field(discriminator="name")]
CellConfig = Annotated[
    RUMConfig | ARUMConfig | LSTMConfig | GRUConfig | RNNConfig, Field(discriminator="name")
]
OptimizerConfig = Annotated[RMSPropConfig | AdamConfig, Field(discriminator="name")]


class RunConfig(_Section):
    """A whole run: the same configuration and seed give the same run."""

    task: TaskConfig
    cell: CellConfig = RUMConfig()
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = RMSPropConfig()
    train: TrainConfig = TrainConfig()
    seed: Annotated[int, Field(ge=0, le=_LARGEST_SEED)] = 1
    precision: Literal["float32", "float64", "mixed_bfloat16", "mixed_float16"] = "float32"


# The sections that are one of several models, told apart by their `name`.
CHOICES = ("task", "cell", "optimizer")


def names(section: str) -> list[str]:
    """Return the names that `section` (`"task"`, `"cell"` or `"optimizer"`) can have."""
    return list(_models(section))


def model_of(section: str, name: str) -> type[BaseModel]:
    """Return the model of `section` with that name.

    Raises:
        KeyError: If there is none.
    """
    return _models(section)[name]


def keys_of(section: str) -> list[str]:
    """Return the keys of a section that is not one of several models, such as `"train"`."""
    model: Any = RunConfig.model_fields[section].annotation
    return list(getattr(model, "model_fields", ()))


def _models(section: str) -> dict[str, type[BaseModel]]:
    members: Any = get_args(RunConfig.model_fields[section].annotation)
    return {model.model_fields["name"].default: model for model in members}
