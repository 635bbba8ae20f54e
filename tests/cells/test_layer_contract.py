"""The common contract of recurrent layers, on each of ours: a new one gets it for two lines."""

from rumcli.cells.arum import ARUM
from rumcli.cells.rum import RUM

from .contract import LayerContract


class TestRUM(LayerContract):
    layer_class = RUM


class TestARUM(LayerContract):
    layer_class = ARUM
