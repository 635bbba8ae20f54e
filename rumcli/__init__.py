"""rum: the Rotational Unit of Memory (arXiv:1710.09537) as Keras layers and a command line.

`rumcli.cells` contains the Keras layers. `train`, `load`, `evaluate`, `compare` and `sweep` are the
Python equivalents of the commands with these names; they are imported on first access.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rumcli.api import Comparison, Run, Sweep, compare, evaluate, load, sweep, train

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Run",
    "Sweep",
    "__version__",
    "compare",
    "evaluate",
    "load",
    "sweep",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'rumcli' has no attribute '{name}'")
    from rumcli import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
