"""What Keras says of itself here, which cells take the fused loop, and a test of two seconds.

For `rum doctor`: what takes longer is `rum bench`.
"""

from __future__ import annotations

from typing import Any

import keras

from rumcli import cells
from rumcli.benchmark.cases import Case, Subject
from rumcli.benchmark.measure import measure
from rumcli.benchmark.timing import Timing
from rumcli.cells.fused import dispatch
from rumcli.training import devices

CASE = Case(name="small", steps=50, batch=32, features=10, units=64, classes=9)
_ROUNDS = 5  # of a fifth of a second for each of both
_OURS = ("rum", "arum", "lnlstm", "fsrnn", "eunn", "goru")


def backend() -> dict[str, Any]:
    """Return Keras's backend, the devices that it sees, and how many threads it may use.

    Returns:
        `accelerators` are the names of those of the devices that are no processors.
        `threads` are `intra_op` and `inter_op` of TensorFlow; 0: it decides. None elsewhere.
    """
    name = keras.backend.backend()
    return {
        "name": name,
        "devices": _devices(name),
        "accelerators": devices.names(),
        "threads": _threads(name),
    }


def _devices(backend: str) -> list[str]:
    if backend == "tensorflow":
        import tensorflow as tf

        return [
            device.name.removeprefix("/physical_device:")
            for device in tf.config.list_physical_devices()
        ]
    if backend == "torch":  # which Keras can't list the devices of
        return ["cpu", *(f"cuda:{number}" for number in range(len(devices.names())))]
    return [str(device) for device in keras.distribution.list_devices()]


def _threads(backend: str) -> dict[str, int] | None:
    if backend != "tensorflow":
        return None
    from tensorflow.config import threading

    return {
        "intra_op": threading.get_intra_op_parallelism_threads(),
        "inter_op": threading.get_inter_op_parallelism_threads(),
    }


def fused_loops() -> list[dict[str, Any]]:
    """Return of each of our cells whether `fit` takes the fused loop, and if not, why."""
    found = []
    for name in _OURS:
        reason = dispatch.why_not_auto(cells.make(name, CASE.units))
        found.append({"cell": name, "fused": reason is None, "reason": reason})
    return found


def speed() -> dict[str, Any]:
    """Measure training steps of RUM beside Keras's GRU, about a second in all.

    Returns:
        The size, and of each subject `steps_per_second`, the median of a few samples; `spread`, the
        distance of their quartiles relative to it; and `first_step_seconds`, with compilation.
    """
    on_tensorflow = keras.backend.backend() == "tensorflow"
    subjects = [
        Subject("rum", "rum", {"time_norm": 1.0}),
        # To compile all of Keras's loop takes longer than the whole test.
        Subject("gru", "gru", jit=False if on_tensorflow else None),
    ]
    return {
        "case": CASE.model_dump(),
        "results": [_result(t) for t in measure(CASE, subjects, _ROUNDS)],
    }


def _result(timing: Timing) -> dict[str, Any]:
    return {
        "cell": timing.subject.cell,
        "steps_per_second": 1 / timing.median,
        "spread": timing.spread,
        "first_step_seconds": timing.first_step,
    }
