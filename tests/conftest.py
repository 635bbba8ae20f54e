"""Setup of every test process: quiet native libraries, one thread each, fixed examples."""

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

# A shared machine is too uneven for a deadline on each example.
settings.register_profile("rum", deadline=None, derandomize=True)
settings.load_profile("rum")


# Commands that are tested inherit what is ignored here, as a Ctrl-C is with `pytest &` in a script,
# and the end of a terminal with nohup; what is handled, if only by doing nothing, they do not.
for _name in ("SIGINT", "SIGHUP"):
    _number = getattr(signal, _name, None)
    if _number is not None and signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, lambda number, frame: None)


@pytest.fixture(autouse=True, scope="module")
def _no_model_is_left():
    """Forget the models of a file's tests, which a worker would otherwise keep to its end."""
    yield
    if "keras" in sys.modules:
        import keras

        keras.backend.clear_session()
