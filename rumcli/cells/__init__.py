"""The recurrent cells and layers, and the rotation that they are made of: mathematics only.

`from rumcli.cells import RUM` is for other people's models; `make` makes a layer by name. Keras is
imported when a layer is first asked for, not before.
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

# The layers and their cells.
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
    """Return the names that `make` knows."""
    return list(_NAMES)


def make(name: str, units: int, /, **options: Any) -> keras.layers.RNN:
    """Make a recurrent layer by name.

    Args:
        name: One of `names()`, such as `"rum"` or `"gru"`.
        units: Size of the state, H. `"fsrnn"`: of each fast cell.
        **options: What the layer's own constructor takes, such as `time_norm` for `"rum"` or
            `return_sequences` for all. `"fsrnn"`, which is made of cells, takes `fast` and `slow`
            as dictionaries `{"name": …, "units": …, **options}`, `fast` without units, and
            `num_fast_cells`, their number. Default: two `"lnlstm"`, and a `"rum"` of the same size.

    Returns:
        A layer from `[B, T, D]` to `[B, H]`, or `[B, T, H]` with `return_sequences`.

    Raises:
        ValueError: If the name, or an option of the layer, does not exist or is out of its range.
    """
    layer_class = _class_of(name)
    units = argument_validation.positive_integer("units", units)
    if name == "fsrnn":
        return _make_fast_slow(layer_class, units, **options)
    _check_options(name, layer_class, options)
    return layer_class(units, **options)


def make_cell(name: str, units: int, /, **options: Any) -> keras.layers.Layer:
    """Make a cell by name: one step, for `keras.layers.RNN` or `FSRNN`.

    Args:
        name: One of `names()`, but not `"fsrnn"`.
        units: Size of the state, H.
        **options: What the cell's own constructor takes.

    Raises:
        ValueError: If the name, or an option of the cell, does not exist or is out of its range.
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
