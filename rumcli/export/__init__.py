"""Export to Keras, Safetensors, SavedModel and ONNX, and import of TensorFlow 1 checkpoints."""

from __future__ import annotations

from typing import Literal

Format = Literal["keras", "safetensors", "savedmodel", "onnx"]
# Suffix of the file of each format; a SavedModel is a directory.
SUFFIXES: dict[Format, str] = {
    "keras": ".keras",
    "safetensors": ".safetensors",
    "savedmodel": "",
    "onnx": ".onnx",
}
