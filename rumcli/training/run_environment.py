"""Environment of a run: Keras's seed and precision, devices, memory, versions and git commit.

Some backends do not compute in float64. The memory estimate is a lower bound of a training step's
memory, which also translates out-of-memory errors.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import math
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import backend, ops, tree

from rumcli import __version__, backends, system_info
from rumcli.config import RunConfig, Split
from rumcli.errors import ConfigError, RunError, is_out_of_memory
from rumcli.json_schemas.inputs import Estimate
from rumcli.models.builders import count_weights
from rumcli.tasks import registry
from rumcli.tasks.base import Task
from rumcli.tasks.task_dataset import TaskDataset

_GIGABYTE = 1e9

_PACKAGES = ("keras", *backends.TITLES, "numpy")


def device_names() -> list[str]:
    """Return the name of each accelerator, such as "NVIDIA H200"; empty on a CPU."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform != "cpu"]
    if backend == "torch":
        import torch

        return [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
    if backend == "tensorflow":
        import tensorflow as tf

        devices = [one for one in tf.config.get_visible_devices() if one.device_type != "CPU"]
        details = map(tf.config.experimental.get_device_details, devices)
        # TensorFlow has a name for a GPU, but no details of a TPU.
        return [
            detail.get("device_name", device.device_type)
            for device, detail in zip(devices, details, strict=True)
        ]
    return []


def supports_dtype(dtype: str) -> bool:
    """Return whether the backend computes in a dtype, such as `"float64"`."""
    one = ops.ones((1, 1), dtype=dtype)
    # Test a product: on PyTorch, Keras creates float64 tensors but multiplies them in float32.
    return backend.standardize_dtype(ops.matmul(one, one).dtype) == dtype


def float64_remedy() -> str:
    """Return the advice that ends an error message about unavailable float64."""
    if backend.backend() == "jax":
        return "set the environment variable JAX_ENABLE_X64=1"
    return "set KERAS_BACKEND=tensorflow, or KERAS_BACKEND=jax with JAX_ENABLE_X64=1"


def prepare_keras(run: RunConfig) -> None:
    """Set Keras's global seed and precision.

    Args:
        run: Configuration of the run.

    Raises:
        ConfigError: If the backend does not support the precision.
    """
    keras.config.set_floatx("float64" if run.precision == "float64" else "float32")
    keras.config.set_dtype_policy(run.precision)
    if run.precision == "float64" and not supports_dtype("float64"):
        raise ConfigError(
            f"precision: float64 is not supported by Keras on {keras.backend.backend()}; "
            f"{float64_remedy()}"
        )
    keras.utils.set_random_seed(run.seed)


@contextlib.contextmanager
def restored_keras() -> Iterator[None]:
    """Restore Keras's global precision after the block, for programs that use another one."""
    before, policy = keras.config.floatx(), keras.config.dtype_policy()
    try:
        yield
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(policy)


def seed_step(seed: int, step: int) -> None:
    """Seed a training step by its index, so that a resumed run draws the same random numbers.

    On PyTorch, a `Dropout` layer without a seed uses PyTorch's global generator. Its state is not a
    variable of the model, and data loaders use it too. On other backends each layer has its own
    seed generator, whose state checkpoints include.

    Args:
        seed: Seed of the run.
        step: Index of the step, from 0.
    """
    if keras.backend.backend() == "torch":
        import torch

        (mixed,) = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)
        torch.manual_seed(int(mixed))


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
    if not cell.has_recurrent_matrix:
        return 0
    # The recurrent matrix and its gradient.
    return 2 * cell.units**2 * _width(keras.config.dtype_policy().variable_dtype)


def check_memory(task: Task, model: keras.Model | None, processes: int = 1) -> None:
    """Check that a training step fits into the memory of this machine.

    The operating system may kill a process that runs out of memory without a message.

    Args:
        task: Task to train.
        model: Model of the task; None: not built yet.
        processes: Number of processes that share a batch.

    Raises:
        ConfigError: If a step needs more memory than the machine has.
    """
    needed = _step_bytes(task, model, processes)
    memory = system_info.memory()
    limits = [limit for limit in (memory["total"], memory["limit"]) if limit is not None]
    if limits and needed > min(limits):
        raise ConfigError(
            f"a training step takes at least {_gigabytes(needed)} of memory, but this machine has "
            f"{_gigabytes(min(limits))}; {_remedy(task)}"
        )


def estimate(run: RunConfig, dataset: TaskDataset | None) -> Estimate:
    """Build the model of a run, and return its size.

    Args:
        run: Configuration of the run.
        dataset: Dataset of the run.

    Raises:
        ConfigError: If the backend does not support the cell, or the machine has too little memory.
    """
    prepare_keras(run)
    task = registry.make(run, dataset)
    check_memory(task, None)
    model = task.model()
    check_memory(task, model)
    return Estimate(
        parameters=count_weights(model),
        memory=lower_bound_bytes(task, model),
        steps=run.train.steps,
        batch_size=run.train.batch_size,
        steps_per_epoch=task.steps_per_epoch,
        unit=task.sample_unit,
        validation=task.num_samples(Split.VALIDATION),
        test=task.num_samples(Split.TEST),
        data=task.source,
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
        left = "" if available is None else f", but {_gigabytes(available)} are free"
        raise RunError(
            f"out of memory: a training step takes at least {_gigabytes(_step_bytes(task, model))}"
            f"{left}; {_remedy(task)}"
        ) from error


def _step_bytes(task: Task, model: keras.Model | None, processes: int = 1) -> int:
    return (
        lower_bound_bytes_of_units(task)
        if model is None
        else lower_bound_bytes(task, model, processes)
    )


def _remedy(task: Task) -> str:
    run = task.config
    # Keys rather than options: not every command has these options.
    keys = [f"train.batch_size ({run.train.batch_size:,})"]
    if hasattr(run.task, "delay"):
        keys.append(f"task.delay ({run.task.delay:,})")
    if hasattr(run.task, "bptt_steps"):
        keys.append(f"task.bptt_steps ({run.task.bptt_steps:,})")
    return f"lower {', '.join(keys)} or cell.units ({run.cell.units:,})"


def _size(variable: Any) -> int:
    return math.prod(variable.shape) * _width(variable.dtype)


def _width(dtype: Any) -> int:
    """Return the size of a dtype in bytes."""
    name = keras.backend.standardize_dtype(dtype)
    bits = "".join(c for c in name if c.isdecimal())
    return int(bits) // 8 if bits else 1


def _gigabytes(size: int) -> str:
    return f"{size / _GIGABYTE:,.1f} GB"


def describe_environment(seed: int) -> dict[str, Any]:
    """Return the seed, versions, backend, machine and git commit.

    Args:
        seed: Seed of the run.
    """
    return {
        "seed": seed,
        "rum": __version__,
        "python": platform.python_version(),
        "backend": keras.backend.backend(),
        **{name: _version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "processor": system_info.processor(),
        "cores": os.cpu_count(),
        "accelerators": device_names(),
        "command": sys.argv,
        "git_commit": _git_commit(),
    }


def versions() -> dict[str, str | None]:
    """Return the versions on which the exact results of a run depend; None if not installed."""
    return {"rum": __version__, **{name: _version(name) for name in ("keras", "jax", "numpy")}}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
