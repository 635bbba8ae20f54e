"""How the tests of this directory run the fused loops."""

import functools

import pytest

from .gradients import BACKEND


@functools.cache
def _graph(function, spec):
    import tensorflow as tf

    return tf.function(functools.partial(function, spec), autograph=False)


@pytest.fixture(autouse=True)
def _uncompiled_unless_marked(request, monkeypatch):
    """Run the fused loops as TensorFlow graphs: XLA compiles for seconds, for each option.

    Tests marked `compiled` or `slow` run the programs that users run.
    """
    marks = {mark.name for mark in request.node.iter_markers()}
    if BACKEND == "tensorflow" and not marks & {"compiled", "slow"}:
        from rumcli.cells.kernels import program

        monkeypatch.setattr(program, "_compiled", _graph)
