"""Setup of every test process: quiet native libraries, one thread each, fixed examples."""

import functools
import gc
import os
import signal
import sys

# Before TensorFlow is imported. Each worker has one core: threads of their own only compete.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

# Runs of tests flush some forty files each, for 5 ms of waiting. No test here survives a power cut;
# those that simulate one replace this function themselves.
os.fsync = os.fstat

# A shared machine is too uneven for a deadline on each example.
settings.register_profile("rum", deadline=None, derandomize=True)
settings.load_profile("rum")


# Commands that are tested inherit what is ignored here, as a Ctrl-C is with `pytest &` in a script,
# and the end of a terminal with nohup; what is handled, if only by doing nothing, they do not.
for _name in ("SIGINT", "SIGHUP"):
    _number = getattr(signal, _name, None)
    if _number is not None and signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, lambda number, frame: None)


def pytest_collection_modifyitems(config, items):
    """Leave the slow ones out of `-m e2e`: a test belongs to one tier."""
    if config.option.markexpr == "e2e":
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


def pytest_collection_finish():
    """Exempt imported objects from garbage collection, and disable the graph optimizer.

    Collecting would traverse the half million objects of the imports again for each test module.
    Optimizing a graph takes longer than running it in most tests; tests that start a process keep
    the optimizer.
    """
    gc.collect()
    gc.freeze()
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture(autouse=True)
def _same_environment():
    """Restore the environment variables that commands and imports set in the test process."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(autouse=True, scope="module")
def _free_models():
    """Free the models and compiled loops of each module, which a worker would keep to its end."""
    yield
    if "rumcli.cells.fused.tensorflow_custom_gradient" in sys.modules:
        from rumcli.cells.fused import tensorflow_custom_gradient

        tensorflow_custom_gradient._compiled.cache_clear()
        tensorflow_custom_gradient._compiled_functions.clear()
        _graph.cache_clear()
    if "keras" in sys.modules:
        import keras

        keras.backend.clear_session()  # and collect garbage
    gc.freeze()  # what remains is alive: later collections need not traverse it


@functools.cache
def _graph(function, spec):
    import tensorflow as tf

    return tf.function(functools.partial(function, spec), autograph=False)


@pytest.fixture
def _fused_loops_as_graphs(monkeypatch):
    """Run the fused loops as TensorFlow graphs, without XLA."""
    import keras

    if keras.config.backend() != "tensorflow":
        return
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


@pytest.fixture
def _keras_is_not_started(monkeypatch):
    """End each command with an error where it would import Keras."""
    from rumcli.cli import _keras_startup
    from rumcli.errors import ConfigError

    def start(debug, first=None, quiet=False):
        raise ConfigError("here Keras would be started")

    monkeypatch.setattr(_keras_startup, "start", start)
