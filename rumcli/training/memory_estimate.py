"""Lower bound of a training step's memory, and translation of out-of-memory errors."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import keras
from keras import tree

from rumcli import system_info
from rumcli.errors import ConfigError, RunError, is_out_of_memory
from rumcli.tasks.base import Task

_GIGABYTE = 1e9
_SPARSE = ("eunn", "fsrnn", "custom")  # cells without a full recurrent matrix


def lower_bound_bytes(task: Task, model: keras.Model, processes: int = 1) -> int:
    """Return a lower bound of a training step's memory in one process, in bytes.

    Includes the weights, their gradients, the optimizer's variables, and each layer's outputs,
    which the gradient needs all at once. The residuals of a cell's time steps are not included.

    Args:
        task: Task to train.
        model: Model of the task.
        processes: Number of processes that share a batch.
    """
    weights = sum(map(_size, [*model.weights, *model.trainable_weights]))
    weights += sum(map(_size, model.optimizer.variables))
    outputs = [output for layer in model.layers for output in tree.flatten(layer.output)]
    activations = sum(math.prod(output.shape[1:]) * _width(output.dtype) for output in outputs)
    return weights + task.config.train.batch_size // processes * activations


def lower_bound_bytes_of_units(task: Task) -> int:
    """Return a lower bound of a training step's memory before the model is built, in bytes.

    Creating the weights of a model that is too large takes minutes, or already fails.
    """
    cell = task.config.cell
    if cell.name in _SPARSE:
        return 0
    # The recurrent matrix and its gradient.
    return 2 * cell.units**2 * _width(keras.config.dtype_policy().variable_dtype)


def check(task: Task, model: keras.Model | None, processes: int = 1) -> None:
    """Check that a training step fits into the memory of this machine.

    The operating system may kill a process that runs out of memory without a message.

    Args:
        task: Task to train.
        model: Model of the task; None: not built yet.
        processes: Number of processes that share a batch.

    Raises:
        ConfigError: If a step needs more memory than the machine has.
    """
    needed = _known(task, model, processes)
    found = system_info.memory()
    limits = [limit for limit in (found["total"], found["limit"]) if limit is not None]
    if limits and needed > min(limits):
        raise ConfigError(
            f"a training step takes at least {_spoken(needed)} of memory, and there are "
            f"{_spoken(min(limits))}; {_advice(task)}"
        )


@contextlib.contextmanager
def translate_oom(task: Task, model: keras.Model | None) -> Iterator[None]:
    """Turn a backend's out-of-memory error into one line for the user.

    Args:
        task: Task to train.
        model: Model of the task; None: it is built in the block.

    Raises:
        RunError: If the block ran out of memory.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        available = system_info.memory()["available"]
        left = "" if available is None else f", and {_spoken(available)} are free"
        raise RunError(
            f"out of memory: a training step takes at least {_spoken(_known(task, model))}"
            f"{left}; {_advice(task)}"
        ) from error


def _known(task: Task, model: keras.Model | None, processes: int = 1) -> int:
    return (
        lower_bound_bytes_of_units(task)
        if model is None
        else lower_bound_bytes(task, model, processes)
    )


def _advice(task: Task) -> str:
    run = task.config
    # Keys rather than options: not every command has these options.
    advice = [f"train.batch_size ({run.train.batch_size:,})"]
    if hasattr(run.task, "delay"):
        advice.append(f"task.delay ({run.task.delay:,})")
    if hasattr(run.task, "bptt_steps"):
        advice.append(f"task.bptt_steps ({run.task.bptt_steps:,})")
    return f"lower {', '.join(advice)} or cell.units ({run.cell.units:,})"


def _size(variable: Any) -> int:
    return math.prod(variable.shape) * _width(variable.dtype)


def _width(dtype: Any) -> int:
    """Return the size of a dtype in bytes."""
    name = keras.backend.standardize_dtype(dtype)
    bits = "".join(c for c in name if c.isdecimal())
    return int(bits) // 8 if bits else 1


def _spoken(size: int) -> str:
    return f"{size / _GIGABYTE:,.1f} GB"
