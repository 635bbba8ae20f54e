"""What a configuration's model is made of: its layers, their shapes and their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from rumcli.config import BabiConfig, RunConfig
from rumcli.data.babi import generator
from rumcli.data.corpus import Vocabulary
from rumcli.data.splits import SPLITS
from rumcli.tasks import registry
from rumcli.tasks.carried import Carried
from rumcli.tasks.material import Material
from rumcli.tasks.model import count_weights
from rumcli.tasks.stories import Collection, Stories
from rumcli.tasks.text import Text
from rumcli.tasks.trimmed import Trimmed

# Of Penn Treebank: 50 different bytes.
_SYMBOLS = 50
_QUESTIONS = 200  # of a bAbI subtask: enough for all its words


@dataclass(frozen=True)
class LayerSummary:
    """One layer.

    Attributes:
        name: As the model has it.
        kind: Its class.
        output_shape: Of its outputs, `B` for the number of samples.
        weights: Number of its trainable weights.
        parts: The cells in it, if it is made of several.
    """

    name: str
    kind: str
    output_shape: tuple[int | str, ...]
    weights: int
    parts: tuple[LayerSummary, ...] = ()


@dataclass(frozen=True)
class ModelSummary:
    """A model.

    Attributes:
        layers: From the input to the answer.
        weights: Number of all trainable weights.
        symbols: Different symbols of the text that was assumed; None if the task has no text.
    """

    layers: tuple[LayerSummary, ...]
    weights: int
    symbols: int | None


def summarize(config: RunConfig) -> ModelSummary:
    """Make the model of a configuration and describe it.

    Raises:
        ConfigError: If a cell can't be what the configuration asks for on this backend.
    """
    material = _stand_in(config)
    model = registry.make(config, material).model()
    layers = tuple(
        _layer(layer) for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)
    )
    return ModelSummary(
        layers, count_weights(model), _SYMBOLS if isinstance(material, Text) else None
    )


def _stand_in(config: RunConfig) -> Material | None:
    """Return material of which only the number of symbols, or the kind of questions, counts."""
    if config.task.name == "ptb":
        return Text("", Vocabulary(tuple(range(_SYMBOLS)), has_unknown=False), 0.0, {})
    if not isinstance(config.task, BabiConfig):
        return None
    subtask = config.task.subtask if isinstance(config.task.subtask, int) else 1
    stories = {
        split: list(generator.exactly(subtask, config.seed, split, _QUESTIONS)) for split in SPLITS
    }
    return Stories.of(Collection("generated", stories))


def _layer(layer: Any) -> LayerSummary:
    inner = layer.layer if isinstance(layer, Carried | Trimmed) else layer
    cells = getattr(getattr(inner, "cell", None), "cells", ())
    return LayerSummary(
        layer.name,
        type(inner).__name__,
        _shape(keras.tree.flatten(layer.output)[0].shape),  # of attention: without its weights
        count_weights(layer),
        tuple(
            LayerSummary(cell.name, type(cell).__name__, ("B", cell.units), count_weights(cell))
            for cell in cells
        ),
    )


def _shape(shape: tuple[int | None, ...]) -> tuple[int | str, ...]:
    return tuple("B" if size is None else size for size in shape)
