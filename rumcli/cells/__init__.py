"""Recurrent cells, recurrent layers and the rotation they are built from: pure math, no I/O.

Import a layer directly, as in `from rumcli.cells import RUM`, or create one by name with `make`.
Keras is imported on first access to a layer, cell or function.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rumcli.cells import argument_validation

if TYPE_CHECKING:
    import keras

    from rumcli.cells.arum import ARUM, ARUMCell
    from rumcli.cells.eunn import EUNN, EUNNCell
    from rumcli.cells.fs_rnn import FSRNN, FSRNNCell
    from rumcli.cells.goru import GORU, GORUCell
    from rumcli.cells.ln_lstm import LNLSTM, LNLSTMCell
    from rumcli.cells.ops.rotation import rotate, rotation_operator
    from rumcli.cells.rum import RUM, RUMCell

__all__ = [
    "ARUM",
    "EUNN",
    "FSRNN",
    "GORU",
    "LNLSTM",
    "RUM",
    "ARUMCell",
    "EUNNCell",
    "FSRNNCell",
    "GORUCell",
    "LNLSTMCell",
    "RUMCell",
    "make",
    "make_cell",
    "names",
    "rotate",
    "rotation_operator",
]

_HOMES = {
    "ARUM": "rumcli.cells.arum",
    "ARUMCell": "rumcli.cells.arum",
    "EUNN": "rumcli.cells.eunn",
    "EUNNCell": "rumcli.cells.eunn",
    "FSRNN": "rumcli.cells.fs_rnn",
    "FSRNNCell": "rumcli.cells.fs_rnn",
    "GORU": "rumcli.cells.goru",
    "GORUCell": "rumcli.cells.goru",
    "LNLSTM": "rumcli.cells.ln_lstm",
    "LNLSTMCell": "rumcli.cells.ln_lstm",
    "RUM": "rumcli.cells.rum",
    "RUMCell": "rumcli.cells.rum",
    "rotate": "rumcli.cells.ops.rotation",
    "rotation_operator": "rumcli.cells.ops.rotation",
}

# Modules and class names of the layers; a cell's class name ends in `Cell`.
_NAMES = {
    "rum": ("rumcli.cells.rum", "RUM"),
    "arum": ("rumcli.cells.arum", "ARUM"),
    "lnlstm": ("rumcli.cells.ln_lstm", "LNLSTM"),
    "fsrnn": ("rumcli.cells.fs_rnn", "FSRNN"),
    "eunn": ("rumcli.cells.eunn", "EUNN"),
    "goru": ("rumcli.cells.goru", "GORU"),
    "lstm": ("keras.layers", "LSTM"),
    "gru": ("keras.layers", "GRU"),
    "rnn": ("keras.layers", "SimpleRNN"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


def names() -> list[str]:
    """Return the cell names that `make` accepts.

    Returns:
        The names in a fixed order.

    Example:
        >>> from rumcli.cells import names
        >>> names()[:3]
        ['rum', 'arum', 'lnlstm']
    """
    return list(_NAMES)


def make(name: str, units: int, /, **options: Any) -> keras.layers.RNN:
    """Create a recurrent layer by name.

    Args:
        name: Cell name, one of `names()`, such as `"rum"` or `"gru"`.
        units: Size of the state, H. For `"fsrnn"`, size of each fast cell.
        **options: Arguments of the layer's constructor, such as `time_norm` for `"rum"` or
            `return_sequences` for every layer. `"fsrnn"` accepts the dictionaries
            `fast = {"name": …, **options}` and `slow = {"name": …, "units": …, **options}`, and the
            integer `num_fast_cells`. Default: two `"lnlstm"` cells and a `"rum"` cell of the same
            size.

    Returns:
        A layer that maps `[B, T, D]` to `[B, H]`, or to `[B, T, H]` with `return_sequences`.

    Raises:
        ValueError: If the name or an option is unknown, or a value is out of range.

    Example:
        >>> from rumcli.cells import make
        >>> layer = make("rum", 16, time_norm=1.0, return_sequences=True)
        >>> layer.compute_output_shape((2, 5, 3))
        (2, 5, 16)
    """
    layer_class = _class_of(name)
    units = argument_validation.positive_integer("units", units)
    if name == "fsrnn":
        return _make_fast_slow(layer_class, units, **options)
    _check_options(name, layer_class, options)
    return layer_class(units, **options)


def make_cell(name: str, units: int, /, **options: Any) -> keras.layers.Layer:
    """Create a cell (one step) by name, for use in `keras.layers.RNN` or `FSRNN`.

    Args:
        name: Cell name, one of `names()` except `"fsrnn"`.
        units: Size of the state, H.
        **options: Arguments of the cell's constructor.

    Returns:
        A cell that maps `[B, D]` and its states to `[B, H]` and new states.

    Raises:
        ValueError: If the name or an option is unknown, or a value is out of range.

    Example:
        >>> from rumcli.cells import make_cell
        >>> make_cell("lnlstm", 8).state_size
        [8, 8]
    """
    if name == "fsrnn":
        raise ValueError("a Fast-Slow RNN is not made of Fast-Slow RNNs")
    cell_class = _class_of(name, "Cell")
    _check_options(name, cell_class, options)
    units = argument_validation.positive_integer("units", units)
    return cell_class(units, **options)


def _make_fast_slow(
    layer_class: Any,
    units: int,
    fast: Mapping[str, Any] | None = None,
    num_fast_cells: int = 2,
    slow: Mapping[str, Any] | None = None,
    **options: Any,
) -> keras.layers.RNN:
    _check_options("fsrnn", layer_class, options)
    num_fast_cells = argument_validation.positive_integer("num_fast_cells", num_fast_cells)
    dtype = {"dtype": options["dtype"]} if "dtype" in options else {}
    fast = {"name": "lnlstm", **(fast or {}), **dtype}
    slow = {"name": "rum", "units": units, **(slow or {}), **dtype}
    name, own_units, slow_name = fast.pop("name"), slow.pop("units"), slow.pop("name")
    cells = [make_cell(name, units, **fast) for _ in range(num_fast_cells)]
    return layer_class(cells, make_cell(slow_name, own_units, **slow), **options)


def _class_of(name: str, suffix: str = "") -> Any:
    if name not in _NAMES:
        raise ValueError(f"unknown cell {name!r}; cells: {', '.join(_NAMES)}")
    module, class_name = _NAMES[name]
    return getattr(importlib.import_module(module), class_name + suffix)


def _check_options(name: str, made: type, options: Mapping[str, Any]) -> None:
    accepted = _option_names(made)
    for option in options:
        if option not in accepted:
            raise ValueError(
                f"cell {name!r} has no option {option!r}; its options: {', '.join(accepted)}"
            )


def _option_names(made: type) -> list[str]:
    import keras

    found: dict[str, None] = {}
    for parent in made.__mro__:
        if "__init__" in vars(parent):
            found.update(dict.fromkeys(inspect.signature(vars(parent)["__init__"]).parameters))
        if parent is keras.layers.Layer:
            break
    others = ("self", "units", "cell", "slow_cell", "args", "kwargs")
    return [name for name in found if name not in others]
