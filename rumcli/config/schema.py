"""The schema of a run: every key, its type, its range and its default.

Only what a value may be; where values come from is in `build`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from rumcli.config.optimizers import OptimizerConfig, RMSPropConfig
from rumcli.config.sections import Fraction, Positive, Rate
from rumcli.config.sections import Section as _Section
from rumcli.config.tasks import TaskConfig

_LARGEST_SEED = 2**32 - 1

Activation = Literal["relu", "tanh", "sigmoid", "softsign", "linear"]
Initializer = Literal["orthogonal", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal"]


class Split(enum.StrEnum):
    """The three parts of a task's data; no example is in two of them."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


# A cell has its options; as the slow cell of a Fast-Slow RNN it has a size too, and as a layer what
# only a loop over time has. Fast cells all have the size of the layer.


class _Sized(_Section):
    units: Positive = 100


class _Looped(_Section):
    implementation: Literal["auto", "fused", "plain"] = "auto"


class _RotationalOptions(_Section):
    activation: Activation = "relu"
    time_norm: Annotated[Rate | None, Field(description="η, the time norm, or null")] = None
    layer_norm: bool = False
    layer_norm_order: Literal["before_sigmoid", "after_sigmoid"] = "before_sigmoid"
    zoneout: Annotated[Fraction, Field(description="probability of keeping the old value")] = 0.0
    update_gate: bool = True
    kernel_initializer: Initializer = "orthogonal"
    bias_initializer: Literal["zeros", "ones"] | None = None


class FastRUMConfig(_RotationalOptions):
    """RUM, λ = 0, as a fast cell."""

    name: Literal["rum"] = "rum"


class SlowRUMConfig(FastRUMConfig, _Sized):
    """RUM, λ = 0, as a slow cell."""


class RUMConfig(_Looped, SlowRUMConfig):
    """RUM, λ = 0."""


class SlowARUMConfig(_RotationalOptions, _Sized):
    """RUM, λ = 1, as a slow cell."""

    name: Literal["arum"] = "arum"


class ARUMConfig(_Looped, SlowARUMConfig):
    """RUM, λ = 1: with an associative memory."""


class FastLNLSTMConfig(_Section):
    """The layer-normalised LSTM as a fast cell."""

    name: Literal["lnlstm"] = "lnlstm"
    forget_bias: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    zoneout: Annotated[Fraction, Field(description="probability that h keeps its value")] = 0.0
    cell_zoneout: Annotated[Fraction, Field(description="probability that c does")] = 0.0
    kernel_initializer: Initializer = "orthogonal"
    recurrent_initializer: Initializer = "orthogonal"
    bias_initializer: Literal["zeros", "ones"] = "zeros"


class SlowLNLSTMConfig(FastLNLSTMConfig, _Sized):
    """The layer-normalised LSTM as a slow cell."""


class LNLSTMConfig(_Looped, SlowLNLSTMConfig):
    """The layer-normalised LSTM."""


class _OrthogonalOptions(_Section):
    pairing: Annotated[
        Literal["neighbours", "fft"], Field(description="which units each layer of U turns")
    ] = "neighbours"
    capacity: Annotated[
        Positive | None, Field(description="number of layers of U; null is 2, or that of 'fft'")
    ] = None
    kernel_initializer: Initializer | None = None

    @field_validator("capacity")
    @classmethod
    def _of_neighbours(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("pairing") == "fft":
            raise ValueError("null with pairing 'fft', which has log₂ of the units as its capacity")
        return value


class FastEUNNConfig(_OrthogonalOptions):
    """EUNN as a fast cell."""

    name: Literal["eunn"] = "eunn"
    complex_valued: bool = False
    bias_initializer: Literal["zeros", "ones"] = "zeros"


class EUNNConfig(FastEUNNConfig, _Sized):
    """EUNN: a unitary matrix made of plane rotations, and modReLU."""


class FastGORUConfig(_OrthogonalOptions):
    """GORU as a fast cell."""

    name: Literal["goru"] = "goru"
    recurrent_initializer: Initializer | None = None
    bias_initializer: Literal["zeros", "ones"] | None = None


class GORUConfig(FastGORUConfig, _Sized):
    """GORU: gates, and the orthogonal matrix of EUNN."""


class _KerasOptions(_Section):
    activation: Activation = "tanh"
    dropout: Fraction = 0.0
    recurrent_dropout: Fraction = 0.0


class FastLSTMConfig(_KerasOptions):
    """Keras's LSTM as a fast cell."""

    name: Literal["lstm"] = "lstm"


class LSTMConfig(FastLSTMConfig, _Sized):
    """Keras's LSTM."""


class FastGRUConfig(_KerasOptions):
    """Keras's GRU as a fast cell."""

    name: Literal["gru"] = "gru"


class GRUConfig(FastGRUConfig, _Sized):
    """Keras's GRU."""


class FastRNNConfig(_KerasOptions):
    """Keras's SimpleRNN as a fast cell."""

    name: Literal["rnn"] = "rnn"


class RNNConfig(FastRNNConfig, _Sized):
    """Keras's SimpleRNN."""


FastCellConfig = Annotated[
    FastLNLSTMConfig
    | FastRUMConfig
    | FastEUNNConfig
    | FastGORUConfig
    | FastLSTMConfig
    | FastGRUConfig
    | FastRNNConfig,
    Field(discriminator="name"),
]
SlowCellConfig = Annotated[
    SlowRUMConfig
    | SlowARUMConfig
    | SlowLNLSTMConfig
    | EUNNConfig
    | GORUConfig
    | LSTMConfig
    | GRUConfig
    | RNNConfig,
    Field(discriminator="name"),
]


class FSRNNConfig(_Looped, _Sized):
    """A Fast-Slow RNN; its units are those of each fast cell."""

    name: Literal["fsrnn"] = "fsrnn"
    fast_cells: Annotated[int, Field(ge=2, description="how many")] = 2
    fast: FastCellConfig = FastLNLSTMConfig()
    slow: SlowCellConfig = SlowRUMConfig()
    dropout: Annotated[Fraction, Field(description="share dropped between the cells")] = 0.0


class ModelConfig(_Section):
    """How many cells there are, and what stands between them and the answer."""

    layers: Annotated[Positive, Field(description="cells on top of each other")] = 1
    dropout: Annotated[Fraction, Field(description="share of each cell's outputs dropped")] = 0.0


class TrainConfig(_Section):
    """How long, and how often something is looked at or saved. Unit: training steps."""

    steps: Positive = 1000
    batch_size: Positive = 128
    eval_every: Positive = 100
    checkpoint_every: Positive = 100
    keep_checkpoints: Annotated[int, Field(ge=2)] = 2


CellConfig = Annotated[
    RUMConfig
    | ARUMConfig
    | LNLSTMConfig
    | FSRNNConfig
    | EUNNConfig
    | GORUConfig
    | LSTMConfig
    | GRUConfig
    | RNNConfig,
    Field(discriminator="name"),
]


class RunConfig(_Section):
    """A whole run: the same configuration and seed give the same run."""

    task: TaskConfig
    cell: CellConfig = RUMConfig()
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = RMSPropConfig()
    train: TrainConfig = TrainConfig()
    seed: Annotated[int, Field(ge=0, le=_LARGEST_SEED)] = 1
    precision: Literal["float32", "float64", "mixed_bfloat16", "mixed_float16"] = "float32"


KeyPath = tuple[str, ...]
# The sections that are one of several models, told apart by their `name`.
CHOICES = ("task", "cell", "optimizer")


def names(section: str) -> list[str]:
    """Return the names that `section` (`"task"`, `"cell"` or `"optimizer"`) can have."""
    return list(models_at((section,), {}))


def model_of(section: str, name: str) -> type[BaseModel]:
    """Return the model of `section` with that name.

    Raises:
        KeyError: If there is none.
    """
    return models_at((section,), {})[name]


def models_at(path: KeyPath, values: Any) -> dict[str, type[BaseModel]]:
    """Return the models that a section can be, by name.

    Args:
        path: Of the section; empty for the whole configuration.
        values: Of the whole configuration. The names in them choose among the models above `path`.

    Returns:
        Several models, of which the section's `name` chooses one; or one whose name is empty; or
        none, if there is no such section.
    """
    models: dict[str, type[BaseModel]] = {"": RunConfig}
    for key in path:
        model = chosen(models, values)
        if model is None or key not in model.model_fields:
            return {}
        models = models_in(model.model_fields[key].annotation)
        values = values.get(key) if isinstance(values, Mapping) else None
    return models


def models_in(annotation: Any) -> dict[str, type[BaseModel]]:
    """Return the models, by name, that a field with this annotation can be."""
    members = [annotation, *get_args(annotation)]
    models = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
    return {
        model.model_fields["name"].default if "name" in model.model_fields else "": model
        for model in models
    }


def chosen(models: Mapping[str, type[BaseModel]], values: Any) -> type[BaseModel] | None:
    """Return that of the models which the values of a section choose; None if there is none."""
    name = values.get("name") if isinstance(values, Mapping) else None
    return models.get(name if isinstance(name, str) else "") or models.get("")
