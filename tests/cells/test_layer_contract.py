"""The common contract of recurrent layers, on each of ours: a new one gets it for two lines."""

from typing import Any, ClassVar

import keras
import pytest

from rumcli.cells.arum import ARUM
from rumcli.cells.delta_product import DeltaProduct
from rumcli.cells.eunn import EUNN
from rumcli.cells.fs_rnn import FSRNN
from rumcli.cells.goru import GORU
from rumcli.cells.ln_lstm import LNLSTM, LNLSTMCell
from rumcli.cells.lru import LRU
from rumcli.cells.rum import RUM, RUMCell
from rumcli.cells.slstm import SLSTM

from .contract import UNITS, LayerContract
from .gradients import BACKEND


class TestRUM(LayerContract):
    layer_class = RUM


class TestARUM(LayerContract):
    layer_class = ARUM


class TestLNLSTM(LayerContract):
    layer_class = LNLSTM


class TestEUNN(LayerContract):
    layer_class = EUNN


@pytest.mark.slow  # of a class that stands here already
class TestComplexEUNN(LayerContract):
    layer_class = EUNN
    arguments: ClassVar = {"complex_valued": True, "pairing": "fft"}


class TestGORU(LayerContract):
    layer_class = GORU


class TestDeltaProduct(LayerContract):
    layer_class = DeltaProduct
    first_state_is_output = False
    # The norm of the output enlarges the rounding of a small one.
    same: ClassVar[dict[str, float]] = {"rtol": 0, "atol": 6e-6}


@pytest.mark.slow  # of a class that stands here already
class TestGatedDeltaNet(LayerContract):
    layer_class = DeltaProduct
    arguments: ClassVar = {
        "num_reflections": 1,
        "num_heads": 5,
        "gated": True,
        "negative_eigenvalues": False,
        "output_norm": False,
    }
    first_state_is_output = False


class TestSLSTM(LayerContract):
    layer_class = SLSTM


class TestLRU(LayerContract):
    layer_class = LRU
    first_state_is_output = False


@pytest.mark.slow  # of a class that stands here already
class TestRealLRU(LayerContract):
    layer_class = LRU
    arguments: ClassVar = {"eigenvalues": "real", "activation": "linear"}
    first_state_is_output = False


class TestFSRNN(LayerContract):
    layer_class = FSRNN
    # Layer norm over five units magnifies rounding. With the weights that JAX draws, the output
    # after the first step differs from the one in float64, for the same weights, by 2.3e-6 in the
    # plain loop and by 1.4e-6 to 3.8e-6 in the fused one, depending on the batch size. Two such
    # results may differ by the sum of their errors.
    same: ClassVar[dict[str, float]] = {"rtol": 0, "atol": 6e-6}

    def make(self, **kwargs: Any) -> Any:
        keras.utils.set_random_seed(7)
        dtype = kwargs.get("dtype")
        fast = [LNLSTMCell(UNITS, dtype=dtype) for _ in range(2)]
        return FSRNN(fast, RUMCell(4, dtype=dtype, time_norm=1.0), **kwargs)


@pytest.mark.slow  # of a class that stands here already
class TestFSRNNOfKerasCells(LayerContract):
    layer_class = FSRNN

    def make(self, **kwargs: Any) -> Any:
        keras.utils.set_random_seed(7)
        dtype = kwargs.get("dtype")
        fast = [keras.layers.GRUCell(UNITS, dtype=dtype) for _ in range(2)]
        return FSRNN(fast, keras.layers.LSTMCell(4, dtype=dtype), **kwargs)

    if BACKEND == "jax":
        # There Keras's own cells compute their tanh in float32, whatever they are given.
        test_gradients_are_those_of_finite_differences = None
