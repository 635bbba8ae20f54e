"""What a configuration's model is made of: its layers, their shapes and their weights."""

from __future__ import annotations

from typing import Any

import keras

from rumcli.config import BabiConfig, RunConfig
from rumcli.data.splits import SPLITS
from rumcli.json_schemas.configurations import LayerSummary, ModelSummary
from rumcli.models.bucketed_rnn import BucketedRNN
from rumcli.models.builders import count_weights
from rumcli.models.stateful_rnn import StatefulRNN
from rumcli.tasks import registry
from rumcli.tasks.babi.dataset import BabiDataset, Collection
from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.char_lm.corpus import CharVocabulary
from rumcli.tasks.char_lm.dataset import CharDataset
from rumcli.tasks.task_dataset import TaskDataset

# Of Penn Treebank: 50 different bytes.
_SYMBOLS = 50
_QUESTIONS = 200  # of a bAbI subtask: enough for all its words


def summarize(config: RunConfig, preset: str) -> ModelSummary:
    """Build the model of a configuration and describe it.

    Args:
        config: The configuration.
        preset: The name of its preset.

    Raises:
        ConfigError: If a cell can't be what the configuration asks for on this backend.
    """
    dataset = _stand_in(config)
    model = registry.make(config, dataset).model()
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    return ModelSummary(
        preset=preset,
        layers=[_layer(layer) for layer in layers],
        weights=count_weights(model),
        symbols=_SYMBOLS if isinstance(dataset, CharDataset) else None,
    )


def _stand_in(config: RunConfig) -> TaskDataset | None:
    """Return dataset of which only the number of symbols, or the kind of questions, counts."""
    if config.task.name == "ptb":
        return CharDataset("", CharVocabulary(tuple(range(_SYMBOLS)), has_unknown=False), 0.0, {})
    if not isinstance(config.task, BabiConfig):
        return None
    subtask = config.task.subtask if isinstance(config.task.subtask, int) else 1
    stories = {
        split: list(story_generator.generate(subtask, config.seed, split, _QUESTIONS))
        for split in SPLITS
    }
    return BabiDataset.of(Collection("generated", stories))


def _layer(layer: Any) -> LayerSummary:
    inner = layer.layer if isinstance(layer, StatefulRNN | BucketedRNN) else layer
    cells = getattr(getattr(inner, "cell", None), "cells", ())
    shape = keras.tree.flatten(layer.output)[0].shape  # of attention: without its weights
    return LayerSummary(
        name=layer.name,
        kind=type(inner).__name__,
        output_shape=["B" if size is None else size for size in shape],
        weights=count_weights(layer),
        parts=[
            LayerSummary(
                name=cell.name,
                kind=type(cell).__name__,
                output_shape=["B", cell.units],
                weights=count_weights(cell),
                parts=[],
            )
            for cell in cells
        ],
    )
