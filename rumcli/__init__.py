"""rum: the Rotational Unit of Memory (arXiv:1710.09537) as Keras layers and a command line.

`rumcli.cells` holds the layers that other models use; the rest trains and examines them.
"""

__version__ = "0.1.0"
