"""The recurrent cells and layers, and the rotation that they are made of: mathematics only.

`from rumcli.cells import RUM` is for other people's models; `make` makes a layer by name. Keras is
imported when a layer is first asked for, not before.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from rumcli.cells.arum import ARUM, ARUMCell
    from rumcli.cells.fs_rnn import FSRNN, FSRNNCell
    from rumcli.cells.ln_lstm import LNLSTM, LNLSTMCell
    from rumcli.cells.rotation import rotate, rotation_operator
    from rumcli.cells.rum import RUM, RUMCell

__all__ = [
    "ARUM",
    "FSRNN",
    "LNLSTM",
    "RUM",
    "ARUMCell",
    "FSRNNCell",
    "LNLSTMCell",
    "RUMCell",
    "make",
    "names",
    "rotate",
    "rotation_operator",
]

_HOMES = {
    "ARUM": "rumcli.cells.arum",
    "ARUMCell": "rumcli.cells.arum",
    "FSRNN": "rumcli.cells.fs_rnn",
    "FSRNNCell": "rumcli.cells.fs_rnn",
    "LNLSTM": "rumcli.cells.ln_lstm",
    "LNLSTMCell": "rumcli.cells.ln_lstm",
    "RUM": "rumcli.cells.rum",
    "RUMCell": "rumcli.cells.rum",
    "rotate": "rumcli.cells.rotation",
    "rotation_operator": "rumcli.cells.rotation",
}

_LAYERS = {
    "rum": ("rumcli.cells.rum", "RUM"),
    "arum": ("rumcli.cells.arum", "ARUM"),
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
    return list(_LAYERS)


def make(name: str, units: int, /, **options: Any) -> keras.layers.RNN:
    """Make a recurrent layer by name.

    Args:
        name: One of `names()`: `"rum"`, `"arum"`, `"lstm"`, `"gru"`, `"rnn"`.
        units: Size of the state, H.
        **options: What the layer's own constructor takes, such as `time_norm` for `"rum"` or
            `return_sequences` for all.

    Returns:
        A layer from `[B, T, D]` to `[B, H]`, or `[B, T, H]` with `return_sequences`.

    Raises:
        ValueError: If the name, or an option of the layer, does not exist.
    """
    if name not in _LAYERS:
        raise ValueError(f"unknown cell {name!r}; cells: {', '.join(_LAYERS)}")
    module, class_name = _LAYERS[name]
    layer_class = getattr(importlib.import_module(module), class_name)
    accepted = _option_names(layer_class)
    for option in options:
        if option not in accepted:
            raise ValueError(
                f"cell {name!r} has no option {option!r}; its options: {', '.join(accepted)}"
            )
    return layer_class(units, **options)


def _option_names(layer_class: type) -> list[str]:
    import keras

    found: dict[str, None] = {}
    for parent in layer_class.__mro__:
        if "__init__" in vars(parent):
            found.update(dict.fromkeys(inspect.signature(vars(parent)["__init__"]).parameters))
        if parent is keras.layers.Layer:
            break
    return [name for name in found if name not in ("self", "units", "cell", "args", "kwargs")]
