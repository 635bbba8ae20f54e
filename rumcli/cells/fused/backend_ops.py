"""The operations that the kernels are written in, for the engine that Keras runs on.

`keras.ops` would do for most of them, but has no compiled loop over buffers, and on JAX part of it
computes in float32 where its arguments are float64.
"""

from __future__ import annotations

import importlib
from typing import Any

import keras

ops: Any = importlib.import_module(f"rumcli.cells.fused.{keras.config.backend()}_ops")
