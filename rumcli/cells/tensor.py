"""The type of tensors in annotations."""

from __future__ import annotations

from typing import Any, TypeAlias

# A tensor of any backend, a `keras.KerasTensor`, or a NumPy array: these share no base class.
# Docstrings state the shapes.
Tensor: TypeAlias = Any
