"""Runs in Python, equal to the command line: `train`, `load`, `evaluate`, `compare`, `sweep`.

Each function calls the code of the command with its name. Importing this package imports neither
Keras nor a backend.
"""

from rumcli.api.run import Comparison, Run, Sweep, compare, evaluate, load, sweep, train

__all__ = ["Comparison", "Run", "Sweep", "compare", "evaluate", "load", "sweep", "train"]
