"""Operations of the fused kernels on the current Keras backend.

`keras.ops` has no compiled loop over buffers, and on JAX some of its functions compute in float32
for float64 arguments.
"""

from __future__ import annotations

import importlib
from typing import Any

import keras

ops: Any = importlib.import_module(f"rumcli.cells.fused.{keras.config.backend()}_ops")
