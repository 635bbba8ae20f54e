"""Summary of a configuration's model: its layers, their output shapes and weight counts."""

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

# Number of different bytes in Penn Treebank.
_SYMBOLS = 50
_QUESTIONS = 200  # enough for all words of a bAbI subtask


def summarize(config: RunConfig, preset: str) -> ModelSummary:
    """Build the model of a configuration and summarize it.

    Args:
        config: Configuration of the run.
        preset: Name of its preset.

    Raises:
        ConfigError: If this backend does not support the configured cell.
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
    """Return a synthetic dataset with realistic vocabulary and question types, or None."""
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
    shape = keras.tree.flatten(layer.output)[0].shape  # of attention: without the attention weights
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
