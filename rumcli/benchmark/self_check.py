"""Checks of `rum doctor`: Keras's backend, fused loops, and a speed test of about two seconds."""

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
_ROUNDS = 5  # with a sample of 0.2 s for each of the two subjects
_OURS = ("rum", "arum", "lnlstm", "fsrnn", "eunn", "goru")


def backend() -> dict[str, Any]:
    """Return Keras's backend, its devices and its thread limits.

    Returns:
        A dictionary with the keys:

        - `name`: Name of the backend.
        - `devices`: Names of all devices.
        - `accelerators`: Names of the devices other than CPUs.
        - `threads`: TensorFlow's `intra_op` and `inter_op` limits, 0 for TensorFlow's default;
          None on other backends.
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
    if backend == "torch":  # which `keras.distribution.list_devices` does not support
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
    """Return for each cell whether `fit` uses the fused loop, and the reason if it doesn't."""
    found = []
    for name in _OURS:
        reason = dispatch.why_not_auto(cells.make(name, CASE.units))
        found.append({"cell": name, "fused": reason is None, "reason": reason})
    return found


def speed() -> dict[str, Any]:
    """Measure training steps of RUM and Keras's GRU, for about two seconds in total.

    Returns:
        The case, and for each subject:

        - `steps_per_second`: Reciprocal of the median seconds per step.
        - `spread`: Interquartile range relative to the median.
        - `first_step_seconds`: Duration of the first step, including compilation.
    """
    on_tensorflow = keras.backend.backend() == "tensorflow"
    subjects = [
        Subject("rum", "rum", {"time_norm": 1.0}),
        # Compiling the whole step of Keras's GRU takes longer than the test.
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
