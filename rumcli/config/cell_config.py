"""Schema of the cells: one class for each, the only table of their names, layers and options.

`rumcli.cells` creates layers by this table; nothing else lists the cells.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, Union

from pydantic import AfterValidator, Field, ValidationInfo, create_model

from rumcli.field_types import Code, Fraction, Options, Positive, Rate, Section

Activation = Literal["relu", "tanh", "sigmoid", "softsign", "linear"]
Initializer = Literal["orthogonal", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal"]


class CellSection(Section):
    """Base class of the cells' options.

    A subclass defines the default of `name`, and a docstring with a summary and a `Source:` line.

    Attributes:
        layer: Path of the layer's class, `package.module:Class`. The cell has the same path, with
            `Cell` appended. Empty for a custom layer.
        has_recurrent_matrix: Whether the cell has a recurrent matrix of at least `units × units`
            weights.
    """

    layer: ClassVar[str] = ""
    has_recurrent_matrix: ClassVar[bool] = True

    name: str
    units: Annotated[Positive, Field(description="size of the state")] = 100


class _Fusable(CellSection):
    """Options of the cells that have a fused loop."""

    implementation: Annotated[
        Literal["auto", "fused", "plain"], Field(description="implementation of the time loop")
    ] = "auto"


class _RotationalSection(CellSection):
    activation: Activation = "relu"
    time_norm: Annotated[Rate | None, Field(description="time norm η; null for none")] = None
    layer_norm: Annotated[bool, Field(description="whether to normalize gates and candidate")] = (
        False
    )
    layer_norm_order: Annotated[
        Literal["before_sigmoid", "after_sigmoid"],
        Field(description="position of the normalization of the update gate"),
    ] = "before_sigmoid"
    zoneout: Annotated[
        Fraction, Field(description="probability that a unit keeps its previous value")
    ] = 0.0
    update_gate: Annotated[bool, Field(description="whether to use an update gate")] = True
    kernel_initializer: Initializer = "orthogonal"
    bias_initializer: Literal["zeros", "ones"] | None = None
    candidate_bias: Annotated[bool, Field(description="whether the embedded input has a bias")] = (
        False
    )
    initial_rotation: Annotated[
        Literal["identity"] | None,
        Field(description="initial rotation; null for that of independent kernels"),
    ] = None
    trainable_rotation: Annotated[
        bool, Field(description="whether the weights of r and of the update gate are trained")
    ] = True


class RUMConfig(_Fusable, _RotationalSection):
    """Rotational Unit of Memory, λ = 0: a state that is rotated, with gates.

    Source: arXiv:1710.09537, section 3
    """

    layer = "rumcli.cells.rum:RUM"
    name: Literal["rum"] = "rum"


class ARUMConfig(_Fusable, _RotationalSection):
    """Rotational Unit of Memory, λ = 1: the product of all rotations is an associative memory.

    Source: arXiv:1710.09537, section 3.1
    """

    layer = "rumcli.cells.arum:ARUM"
    name: Literal["arum"] = "arum"


class LNLSTMConfig(_Fusable):
    """LSTM with layer normalization.

    Source: arXiv:1607.06450
    """

    layer = "rumcli.cells.ln_lstm:LNLSTM"
    name: Literal["lnlstm"] = "lnlstm"
    forget_bias: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    zoneout: Annotated[
        Fraction, Field(description="probability that a unit of h keeps its value")
    ] = 0.0
    cell_zoneout: Annotated[
        Fraction, Field(description="probability that a unit of c keeps its value")
    ] = 0.0
    kernel_initializer: Initializer = "orthogonal"
    recurrent_initializer: Initializer = "orthogonal"
    bias_initializer: Literal["zeros", "ones"] = "zeros"


def _capacity(value: int | None, info: ValidationInfo) -> int | None:
    if value is not None and info.data.get("pairing") == "fft":
        raise ValueError("null with pairing 'fft', whose capacity is log₂ of the units")
    return value


class _OrthogonalSection(CellSection):
    pairing: Annotated[
        Literal["neighbors", "fft"],
        Field(description="pairs of units that each layer of U rotates"),
    ] = "neighbors"
    capacity: Annotated[
        Positive | None,
        Field(description="number of layers of U; null for 2, or for log₂ of the units with 'fft'"),
        AfterValidator(_capacity),
    ] = None
    kernel_initializer: Initializer | None = None


class EUNNConfig(_OrthogonalSection):
    """Efficient Unitary Neural Network: a unitary matrix of plane rotations, and modReLU.

    Source: arXiv:1612.05231
    """

    layer = "rumcli.cells.eunn:EUNN"
    has_recurrent_matrix = False
    name: Literal["eunn"] = "eunn"
    complex_valued: Annotated[bool, Field(description="whether the state is complex")] = False
    bias_initializer: Literal["zeros", "ones"] = "zeros"


class GORUConfig(_OrthogonalSection):
    """Gated Orthogonal Recurrent Unit: gates, and the orthogonal matrix of EUNN.

    Source: arXiv:1706.02761
    """

    layer = "rumcli.cells.goru:GORU"
    name: Literal["goru"] = "goru"
    recurrent_initializer: Initializer | None = None
    bias_initializer: Literal["zeros", "ones"] | None = None


def _divisor_of_units(value: int | None, info: ValidationInfo) -> int | None:
    units = info.data.get("units")
    if value is not None and units is not None and units % value:
        raise ValueError(f"a divisor of the units, {units}")
    return value


class DeltaProductConfig(CellSection):
    """DeltaProduct: a matrix state that several reflections update per token; with 1, DeltaNet.

    Source: arXiv:2502.10297, section 4
    """

    layer = "rumcli.cells.delta_product:DeltaProduct"
    has_recurrent_matrix = False
    name: Literal["deltaproduct"] = "deltaproduct"
    num_reflections: Annotated[
        int, Field(ge=1, le=100, description="number of reflections per token")
    ] = 2
    num_heads: Annotated[
        Positive | None,
        Field(
            description="number of heads, a divisor of the units; null for the most with 16 units"
        ),
        AfterValidator(_divisor_of_units),
    ] = None
    gated: Annotated[bool, Field(description="whether a forget gate scales the state")] = False
    negative_eigenvalues: Annotated[
        bool, Field(description="whether eigenvalues are in [-1, 1] rather than in [0, 1]")
    ] = True
    output_norm: Annotated[
        bool, Field(description="whether the output of each head is normalized")
    ] = True
    kernel_initializer: Initializer = "glorot_uniform"


class SLSTMConfig(CellSection):
    """Scalar LSTM of xLSTM, with exponential gates, a normalizer and a stabilizer.

    Source: arXiv:2405.04517, section 2.2
    """

    layer = "rumcli.cells.slstm:SLSTM"
    has_recurrent_matrix = False
    name: Literal["slstm"] = "slstm"
    num_heads: Annotated[
        Positive,
        Field(description="number of blocks of the recurrent matrix, a divisor of the units"),
        AfterValidator(_divisor_of_units),
    ] = 1
    forget_gate: Literal["sigmoid", "exponential"] = "sigmoid"
    forget_bias: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    kernel_initializer: Initializer = "glorot_uniform"
    recurrent_initializer: Initializer = "orthogonal"
    bias_initializer: Literal["zeros", "ones"] = "zeros"


def _above_min_radius(value: float, info: ValidationInfo) -> float:
    if value <= (lowest := info.data.get("min_radius", 0.0)):
        raise ValueError(f"a number greater than min_radius, {lowest}")
    return value


class LRUConfig(CellSection):
    """Linear Recurrent Unit: a linear recurrence with a diagonal matrix, complex or real.

    Source: arXiv:2303.06349, section 3
    """

    layer = "rumcli.cells.lru:LRU"
    has_recurrent_matrix = False
    name: Literal["lru"] = "lru"
    activation: Annotated[
        Literal["gelu", Activation],
        Field(description="activation of the output; linear in the paper"),
    ] = "gelu"
    eigenvalues: Annotated[
        Literal["complex", "real"],
        Field(description="type of the eigenvalues; real ones are in (-1, 1)"),
    ] = "complex"
    min_radius: Annotated[Fraction, Field(description="lower bound of the initial |λ|")] = 0.0
    max_radius: Annotated[
        float,
        Field(gt=0.0, le=1.0, description="upper bound of the initial |λ|"),
        AfterValidator(_above_min_radius),
    ] = 1.0
    max_phase: Annotated[
        float,
        Field(
            gt=0.0, le=2 * math.pi, description="upper bound of the initial phase of λ, in radians"
        ),
    ] = 2 * math.pi
    kernel_initializer: Initializer = "glorot_normal"


class _KerasSection(CellSection):
    activation: Activation = "tanh"
    dropout: Annotated[Fraction, Field(description="fraction of the inputs to drop")] = 0.0
    recurrent_dropout: Annotated[
        Fraction, Field(description="fraction of the recurrent state to drop")
    ] = 0.0


class LSTMConfig(_KerasSection):
    """LSTM, `keras.layers.LSTM`.

    Source: Hochreiter and Schmidhuber 1997
    """

    layer = "keras.layers:LSTM"
    name: Literal["lstm"] = "lstm"


class GRUConfig(_KerasSection):
    """GRU, `keras.layers.GRU`.

    Source: arXiv:1406.1078
    """

    layer = "keras.layers:GRU"
    name: Literal["gru"] = "gru"


class RNNConfig(_KerasSection):
    """Fully connected RNN, `keras.layers.SimpleRNN`.

    Source: Elman 1990
    """

    layer = "keras.layers:SimpleRNN"
    name: Literal["rnn"] = "rnn"


# Cells that a Fast-Slow RNN can contain.
_PARTS: tuple[type[CellSection], ...] = (
    RUMConfig,
    ARUMConfig,
    LNLSTMConfig,
    EUNNConfig,
    GORUConfig,
    DeltaProductConfig,
    SLSTMConfig,
    LRUConfig,
    LSTMConfig,
    GRUConfig,
    RNNConfig,
)


def _part(model: type[CellSection], prefix: str, *omitted: str) -> Any:
    """Return the model of a cell within a Fast-Slow RNN: the same without the omitted options."""
    options: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in model.model_fields.items()
        if name not in omitted
    }
    return create_model(
        f"{prefix}{model.__name__}", __base__=Section, __doc__=model.__doc__, **options
    )


# The layer has one time loop, and all fast cells have its units. Fast cells share their state,
# which cannot include an associative memory.
_LOOP = "implementation"
_FAST = tuple(_part(m, "Fast", "units", _LOOP) for m in _PARTS if m is not ARUMConfig)
_SLOW = tuple(_part(model, "Slow", _LOOP) for model in _PARTS)

if TYPE_CHECKING:
    _FastSection: TypeAlias = Section
    _SlowSection: TypeAlias = Section
else:
    _FastSection = Annotated[Union[_FAST], Field(discriminator="name")]  # noqa: UP007
    _SlowSection = Annotated[Union[_SLOW], Field(discriminator="name")]  # noqa: UP007


def _default(models: tuple[Any, ...], name: str) -> Section:
    """Return the section with the given name and defaults."""
    return next(model for model in models if model.model_fields["name"].default == name)()


class FSRNNConfig(_Fusable):
    """Fast-Slow RNN: several fast cells in each time step, and a slow cell between them.

    Its units are those of each fast cell.

    Source: arXiv:1705.08639
    """

    layer = "rumcli.cells.fs_rnn:FSRNN"
    has_recurrent_matrix = False
    name: Literal["fsrnn"] = "fsrnn"
    num_fast_cells: Annotated[int, Field(ge=2, le=100, description="number of fast cells")] = 2
    fast: _FastSection = _default(_FAST, "lnlstm")
    slow: _SlowSection = _default(_SLOW, "rum")
    dropout: Annotated[
        Fraction, Field(description="fraction of the values between the cells to drop")
    ] = 0.0


class CustomCellConfig(CellSection):
    """Custom recurrent layer, `package.module:Class`.

    `factory(units, **options)` creates it.
    """

    has_recurrent_matrix = False
    name: Literal["custom"] = "custom"
    factory: Code
    options: Options = Field(default={}, description="keyword arguments of the factory")


_CELLS: tuple[type[CellSection], ...] = (*_PARTS, FSRNNConfig)

if TYPE_CHECKING:
    CellConfig: TypeAlias = CellSection
else:
    CellConfig = Annotated[Union[(*_CELLS, CustomCellConfig)], Field(discriminator="name")]


def layers() -> dict[str, str]:
    """Return the path `package.module:Class` of each built-in layer by the name of its cell."""
    return {model.model_fields["name"].default: model.layer for model in _CELLS}
