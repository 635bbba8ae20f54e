"""What Keras holds for the whole process: the seed and the precision."""

from __future__ import annotations

import keras

from rumcli.config import RunConfig
from rumcli.errors import ConfigError


def prepare(run: RunConfig) -> None:
    """Set seed and precision for everything that is made from here on.

    Raises:
        ConfigError: If the backend does not have the precision.
    """
    keras.config.set_floatx("float64" if run.precision == "float64" else "float32")
    keras.config.set_dtype_policy(run.precision)
    if run.precision == "float64" and _dtype_of_new_arrays() != "float64":
        raise ConfigError(
            f"precision float64 is switched off in {keras.backend.backend()}; "
            "set the environment variable JAX_ENABLE_X64=1"
        )
    keras.utils.set_random_seed(run.seed)


def _dtype_of_new_arrays() -> str:
    return keras.backend.standardize_dtype(keras.ops.zeros((), dtype="float64").dtype)
