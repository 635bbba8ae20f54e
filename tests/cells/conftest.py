"""How the tests of this directory run the fused loops."""

import functools

import pytest

from .gradients import BACKEND


@functools.cache
def _graph(function, spec):
    import tensorflow as tf

    return tf.function(functools.partial(function, spec), autograph=False)


@pytest.fixture(autouse=True, scope="module")
def _free_graphs():
    yield
    _graph.cache_clear()


@pytest.fixture(autouse=True)
def _uncompiled_unless_marked(request, monkeypatch):
    """Run the fused loops as TensorFlow graphs: XLA compiles for seconds, for each option.

    Tests marked `compiled` or `slow` run the programs that users run.
    """
    marks = {mark.name for mark in request.node.iter_markers()}
    if BACKEND == "tensorflow" and not marks & {"compiled", "slow"}:
        import tensorflow as tf

        from rumcli.cells.fused import tensorflow_custom_gradient, tensorflow_ops

        def update(tensor, part, start):
            return tf.raw_ops.TensorStridedSliceUpdate(
                input=tensor,
                begin=start,
                end=tf.stack(start) + tf.shape(part),
                strides=tf.ones_like(start),
                value=part,
            )

        monkeypatch.setattr(tensorflow_custom_gradient, "_compiled", _graph)
        # Outside a compiled program, XLA compiles each of its ops for each shape.
        monkeypatch.setattr(tensorflow_ops, "dynamic_slice", tf.slice)
        monkeypatch.setattr(tensorflow_ops, "dynamic_update_slice", update)
