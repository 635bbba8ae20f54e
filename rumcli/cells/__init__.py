"""Recurrent cells, recurrent layers and the rotation they are built from: pure math, no I/O.

Import a layer directly, as in `from rumcli.cells import RUM`, or create one by name with `make`.
Keras is imported on first access to a layer, cell or function. `rumcli/config/cell_config.py` lists
the cells with their options.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rumcli.cells import argument_validation

if TYPE_CHECKING:  # for editors; `__getattr__` finds every layer of the table
    import keras

    from rumcli.cells.arum import ARUM as ARUM
    from rumcli.cells.arum import ARUMCell as ARUMCell
    from rumcli.cells.delta_product import DeltaProduct as DeltaProduct
    from rumcli.cells.delta_product import DeltaProductCell as DeltaProductCell
    from rumcli.cells.eunn import EUNN as EUNN
    from rumcli.cells.eunn import EUNNCell as EUNNCell
    from rumcli.cells.fs_rnn import FSRNN as FSRNN
    from rumcli.cells.fs_rnn import FSRNNCell as FSRNNCell
    from rumcli.cells.goru import GORU as GORU
    from rumcli.cells.goru import GORUCell as GORUCell
    from rumcli.cells.ln_lstm import LNLSTM as LNLSTM
    from rumcli.cells.ln_lstm import LNLSTMCell as LNLSTMCell
    from rumcli.cells.lru import LRU as LRU
    from rumcli.cells.lru import LRUCell as LRUCell
    from rumcli.cells.ops.rotation import rotate as rotate
    from rumcli.cells.ops.rotation import rotation_operator as rotation_operator
    from rumcli.cells.rum import RUM as RUM
    from rumcli.cells.rum import RUMCell as RUMCell
    from rumcli.cells.slstm import SLSTM as SLSTM
    from rumcli.cells.slstm import SLSTMCell as SLSTMCell

_FUNCTIONS = ("make", "make_cell", "modules", "names")
_ROTATIONS = ("rotate", "rotation_operator")


def _layers() -> dict[str, str]:
    """Return the path of each layer by the name of its cell."""
    from rumcli.config import cell_config  # imported late because it imports pydantic

    return cell_config.layers()


def _homes() -> dict[str, str]:
    """Return the module of each public name that is imported on first access."""
    homes = dict.fromkeys(_ROTATIONS, "rumcli.cells.ops.rotation")
    for path in _layers().values():
        module, name = path.split(":")
        if module.startswith(f"{__name__}."):
            homes |= {name: module, f"{name}Cell": module}
    return homes


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return __dir__()
    # Modules of this package are looked up here too, before they are imported.
    if name.startswith("_") or name not in (homes := _homes()):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(homes[name]), name)


def __dir__() -> list[str]:
    return sorted([*_FUNCTIONS, *_homes()])


def modules() -> list[str]:
    """Return the modules that define the layers of this package."""
    paths = (path.partition(":")[0] for path in _layers().values())
    return [module for module in paths if module.startswith(f"{__name__}.")]


def names() -> list[str]:
    """Return the cell names that `make` accepts.

    Returns:
        The names in a fixed order.

    Example:
        >>> from rumcli.cells import names
        >>> names()[:3]
        ['rum', 'arum', 'lnlstm']
    """
    return list(_layers())


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
        raise ValueError(
            "a Fast-Slow RNN cannot be a cell of another one; expected a name other than 'fsrnn'"
        )
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
    name, slow_units, slow_name = fast.pop("name"), slow.pop("units"), slow.pop("name")
    cells = [make_cell(name, units, **fast) for _ in range(num_fast_cells)]
    return layer_class(cells, make_cell(slow_name, slow_units, **slow), **options)


def _class_of(name: str, suffix: str = "") -> Any:
    layers = _layers()
    if name not in layers:
        raise ValueError(f"unknown cell {name!r}; cells: {', '.join(layers)}")
    module, class_name = layers[name].split(":")
    return getattr(importlib.import_module(module), class_name + suffix)


def _check_options(name: str, layer_or_cell: type, options: Mapping[str, Any]) -> None:
    accepted = _option_names(layer_or_cell)
    for option in options:
        if option not in accepted:
            raise ValueError(
                f"cell {name!r} has no option {option!r}; its options: {', '.join(accepted)}"
            )


def _option_names(layer_or_cell: type) -> list[str]:
    import keras

    parameters: dict[str, None] = {}
    for parent in layer_or_cell.__mro__:
        if "__init__" in vars(parent):
            parameters.update(dict.fromkeys(inspect.signature(vars(parent)["__init__"]).parameters))
        if parent is keras.layers.Layer:
            break
    others = ("self", "units", "cell", "slow_cell", "args", "kwargs")
    return [name for name in parameters if name not in others]
