"""Global state of Keras: the seed and the precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import numpy as np

from rumcli.cells import precision
from rumcli.config import RunConfig
from rumcli.errors import ConfigError


def prepare(run: RunConfig) -> None:
    """Set Keras's global seed and precision.

    Args:
        run: Configuration of the run.

    Raises:
        ConfigError: If the backend does not support the precision.
    """
    keras.config.set_floatx("float64" if run.precision == "float64" else "float32")
    keras.config.set_dtype_policy(run.precision)
    if run.precision == "float64" and not precision.is_available("float64"):
        raise ConfigError(
            f"precision float64: Keras does not compute in it on {keras.backend.backend()}; "
            f"{precision.remedy()}"
        )
    keras.utils.set_random_seed(run.seed)


@contextlib.contextmanager
def restored() -> Iterator[None]:
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
