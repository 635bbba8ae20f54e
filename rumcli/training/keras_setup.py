"""What Keras holds for the whole process: the seed and the precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import numpy as np

from rumcli.cells import precision
from rumcli.config import RunConfig
from rumcli.errors import ConfigError


def prepare(run: RunConfig) -> None:
    """Set seed and precision for everything that is made from here on.

    Raises:
        ConfigError: If the backend does not have the precision.
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
    """Restore Keras's precision after the block: a program may compute in another one."""
    before, policy = keras.config.floatx(), keras.config.dtype_policy()
    try:
        yield
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(policy)


def seed_step(seed: int, step: int) -> None:
    """Make the draws of a training step depend on its number alone, so that a run can resume.

    On PyTorch, a `Dropout` layer without a seed draws from PyTorch's global generator. Its state is
    no variable of the model, and loaders of batches draw from it too. Elsewhere each layer has a
    generator of its own, which checkpoints hold.

    Args:
        seed: Seed of the run.
        step: Number of the step, from 0.
    """
    if keras.backend.backend() == "torch":
        import torch

        (mixed,) = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)
        torch.manual_seed(int(mixed))
