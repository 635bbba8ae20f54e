"""Training runs in Python, equal to the command line: `train`, `load`, `evaluate`, `compare`.

Each function calls the code of the command with its name. Importing this package imports neither
Keras nor a backend.
"""

from rumcli.api.run import Comparison, Run, compare, evaluate, load, train

__all__ = ["Comparison", "Run", "compare", "evaluate", "load", "train"]
