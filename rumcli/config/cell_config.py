"""Schema of the cells: their options as layers and within a Fast-Slow RNN."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from rumcli.config.field_types import Code, Fraction, Options, Positive, Rate, Section

Activation = Literal["relu", "tanh", "sigmoid", "softsign", "linear"]
Initializer = Literal["orthogonal", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal"]

# Three models for each cell: `Fast…` has the options of the cell, `Slow…` adds its size, and the
# layer adds the options of the loop over time. All fast cells have the size of the layer.


class _Sized(Section):
    units: Positive = 100


class _Looped(Section):
    implementation: Literal["auto", "fused", "plain"] = "auto"


class _RotationalOptions(Section):
    activation: Activation = "relu"
    time_norm: Annotated[Rate | None, Field(description="η, the time norm, or null")] = None
    layer_norm: bool = False
    layer_norm_order: Literal["before_sigmoid", "after_sigmoid"] = "before_sigmoid"
    zoneout: Annotated[Fraction, Field(description="probability of keeping the old value")] = 0.0
    update_gate: bool = True
    kernel_initializer: Initializer = "orthogonal"
    bias_initializer: Literal["zeros", "ones"] | None = None
    candidate_bias: Annotated[bool, Field(description="bias of the embedded input")] = False
    initial_rotation: Annotated[
        Literal["identity"] | None, Field(description="identity starts r along the embedded input")
    ] = None
    trainable_rotation: Annotated[
        bool, Field(description="whether the weights of r and of the update gate are trained")
    ] = True


class FastRUMConfig(_RotationalOptions):
    """RUM, λ = 0, as a fast cell."""

    name: Literal["rum"] = "rum"


class SlowRUMConfig(FastRUMConfig, _Sized):
    """RUM, λ = 0, as a slow cell."""


class RUMConfig(_Looped, SlowRUMConfig):
    """Rotational Unit of Memory, λ = 0: a state that is rotated, with gates.

    Source: arXiv:1710.09537, section 3
    """


class SlowARUMConfig(_RotationalOptions, _Sized):
    """RUM, λ = 1, as a slow cell."""

    name: Literal["arum"] = "arum"


class ARUMConfig(_Looped, SlowARUMConfig):
    """Rotational Unit of Memory, λ = 1: the product of all rotations is an associative memory.

    Source: arXiv:1710.09537, section 3.1
    """


class FastLNLSTMConfig(Section):
    """The layer-normalized LSTM as a fast cell."""

    name: Literal["lnlstm"] = "lnlstm"
    forget_bias: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    zoneout: Annotated[Fraction, Field(description="probability that h keeps its value")] = 0.0
    cell_zoneout: Annotated[Fraction, Field(description="probability that c does")] = 0.0
    kernel_initializer: Initializer = "orthogonal"
    recurrent_initializer: Initializer = "orthogonal"
    bias_initializer: Literal["zeros", "ones"] = "zeros"


class SlowLNLSTMConfig(FastLNLSTMConfig, _Sized):
    """The layer-normalized LSTM as a slow cell."""


class LNLSTMConfig(_Looped, SlowLNLSTMConfig):
    """LSTM with layer normalization.

    Source: arXiv:1607.06450
    """


class _OrthogonalOptions(Section):
    pairing: Annotated[
        Literal["neighbors", "fft"], Field(description="which units each layer of U turns")
    ] = "neighbors"
    capacity: Annotated[
        Positive | None, Field(description="number of layers of U; null is 2, or that of 'fft'")
    ] = None
    kernel_initializer: Initializer | None = None

    @field_validator("capacity")
    @classmethod
    def _of_neighbors(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("pairing") == "fft":
            raise ValueError("null with pairing 'fft', which has log₂ of the units as its capacity")
        return value


class FastEUNNConfig(_OrthogonalOptions):
    """EUNN as a fast cell."""

    name: Literal["eunn"] = "eunn"
    complex_valued: bool = False
    bias_initializer: Literal["zeros", "ones"] = "zeros"


class EUNNConfig(FastEUNNConfig, _Sized):
    """Efficient Unitary Neural Network: a unitary matrix of plane rotations, and modReLU.

    Source: arXiv:1612.05231
    """


class FastGORUConfig(_OrthogonalOptions):
    """GORU as a fast cell."""

    name: Literal["goru"] = "goru"
    recurrent_initializer: Initializer | None = None
    bias_initializer: Literal["zeros", "ones"] | None = None


class GORUConfig(FastGORUConfig, _Sized):
    """Gated Orthogonal Recurrent Unit: gates, and the orthogonal matrix of EUNN.

    Source: arXiv:1706.02761
    """


class _KerasOptions(Section):
    activation: Activation = "tanh"
    dropout: Fraction = 0.0
    recurrent_dropout: Fraction = 0.0


class FastLSTMConfig(_KerasOptions):
    """Keras's LSTM as a fast cell."""

    name: Literal["lstm"] = "lstm"


class LSTMConfig(FastLSTMConfig, _Sized):
    """LSTM of Keras.

    Source: Hochreiter and Schmidhuber 1997
    """


class FastGRUConfig(_KerasOptions):
    """Keras's GRU as a fast cell."""

    name: Literal["gru"] = "gru"


class GRUConfig(FastGRUConfig, _Sized):
    """GRU of Keras.

    Source: arXiv:1406.1078
    """


class FastRNNConfig(_KerasOptions):
    """Keras's SimpleRNN as a fast cell."""

    name: Literal["rnn"] = "rnn"


class RNNConfig(FastRNNConfig, _Sized):
    """Simple recurrent layer of Keras, SimpleRNN.

    Source: Elman 1990
    """


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
    """Fast-Slow RNN: several fast cells in each time step, and a slow cell between them.

    Its units are those of each fast cell.

    Source: arXiv:1705.08639
    """

    name: Literal["fsrnn"] = "fsrnn"
    num_fast_cells: Annotated[int, Field(ge=2, le=100, description="how many")] = 2
    fast: FastCellConfig = FastLNLSTMConfig()
    slow: SlowCellConfig = SlowRUMConfig()
    dropout: Annotated[Fraction, Field(description="share dropped between the cells")] = 0.0


class CustomCellConfig(_Sized):
    """Recurrent layer of your own, `package.module:Class`.

    `factory(units, **options)` creates it.
    """

    name: Literal["custom"] = "custom"
    factory: Code
    options: Options = Field(default={}, description="of the factory, by name")


CellConfig = Annotated[
    RUMConfig
    | ARUMConfig
    | LNLSTMConfig
    | FSRNNConfig
    | EUNNConfig
    | GORUConfig
    | LSTMConfig
    | GRUConfig
    | RNNConfig
    | CustomCellConfig,
    Field(discriminator="name"),
]
