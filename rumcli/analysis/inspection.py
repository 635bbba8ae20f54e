"""Inspection of a model: its layers, traces for one example, and the loss around its weights.

The loss landscape follows two random directions. Each direction is filter-normalized, so that
distances are comparable across layers. Source: Li et al. 2018, arXiv:1712.09913, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from rumcli.analysis.introspection import ExampleTrace, trace_example
from rumcli.config import RunConfig, Split
from rumcli.json_schemas import analysis as documents
from rumcli.json_schemas.inputs import LayerSummary, ModelSummary
from rumcli.models.builders import count_weights
from rumcli.models.rnn_wrappers import BucketedRNN, StatefulRNN
from rumcli.tasks import registry
from rumcli.tasks.base import Batch, Task
from rumcli.tasks.task_dataset import TaskDataset
from rumcli.training.evaluation import restore_run
from rumcli.training.run_dir import RunDir

Arrays = list[np.ndarray]


def summarize_model(config: RunConfig, preset: str) -> ModelSummary:
    """Build the model of a configuration and summarize it.

    Args:
        config: Configuration of the run.
        preset: Name of its preset.

    Raises:
        ConfigError: If this backend does not support the configured cell.
    """
    loader = registry.loader_for(config)
    model = registry.make(config, None if loader is None else loader.stand_in()).model()
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    return ModelSummary(
        preset=preset,
        layers=[_layer(layer) for layer in layers],
        weights=count_weights(model),
        symbols=None if loader is None else loader.num_stand_in_symbols,
    )


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


@dataclass(frozen=True)
class Landscape:
    """The loss L(θ + a d₁ + b d₂) on a grid.

    Attributes:
        ticks: Values of a and of b, relative to the norms of the weights: `[N]`.
        losses: Losses in nats, a row for each b and a column for each a: `[N, N]`. Non-finite
            where the model overflows.
        batches: Number of batches that each loss is averaged over.
        samples: Number of samples in these batches.
    """

    ticks: np.ndarray
    losses: np.ndarray
    batches: int
    samples: int


def explore_landscape(
    task: Task,
    model: keras.Model,
    split: Split,
    batches: int,
    grid: int,
    radius: float,
    seed: int,
    report: Callable[[str], None],
) -> Landscape:
    """Evaluate the loss around a model's weights, and restore the weights.

    Args:
        task: Task that provides the batches.
        model: Model of the task.
        split: Split to evaluate on.
        batches: Number of batches, from the first on; at most all of the split are used.
        grid: Number of points in each direction, N, odd.
        radius: Largest a and b.
        seed: Seed of the directions.
        report: Callback that receives a description of the progress.
    """
    chosen = first_batches(task, split, batches)
    weights = [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    first, second = directions(weights, seed)
    ticks = np.linspace(-radius, radius, grid)
    losses = np.empty((grid, grid))
    try:
        for row, b in enumerate(ticks):
            for column, a in enumerate(ticks):
                report(f"landscape: point {row * grid + column + 1} of {grid * grid}")
                _assign(model, _moved(weights, first, a, second, b))
                losses[row, column] = mean_loss(model, chosen)
    finally:
        _assign(model, weights)
    return Landscape(ticks, losses, len(chosen), sum(len(batch[1]) for batch in chosen))


def directions(weights: Sequence[np.ndarray], seed: int) -> tuple[Arrays, Arrays]:
    """Draw two Gaussian, filter-normalized directions in weight space.

    Args:
        weights: Trainable weights.
        seed: Seed of the directions.

    Returns:
        Two lists of arrays, in the shapes of the weights.
    """
    generator = np.random.Generator(np.random.Philox(seed))

    def draw() -> Arrays:
        return [
            filter_normalized(generator.standard_normal(weight.shape), weight) for weight in weights
        ]

    return draw(), draw()


def filter_normalized(direction: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Scale each filter of a direction to the norm of the same filter of the weights.

    A filter computes one output: a column of a kernel, `[..., j]`. Directions of vectors, such as
    biases and gains, are zero, as in the paper.

    Args:
        direction: Direction, in the shape of `weight`.
        weight: Weights: `[..., N]`.
    """
    if weight.ndim < 2:
        return np.zeros_like(weight)
    axes = tuple(range(weight.ndim - 1))
    weight = weight.astype("float64")
    wanted = np.sqrt(np.sum(weight**2, axis=axes))
    found = np.sqrt(np.sum(direction**2, axis=axes))
    return direction * (wanted / np.maximum(found, np.finfo("float64").tiny))


def first_batches(task: Task, split: Split, count: int) -> list[Batch]:
    """Return the first batches of an evaluation split.

    Sample weights are rescaled to mean 1 over these batches, because a task scales them for the
    mean over the whole split.
    """
    numbers = range(min(count, task.num_batches(split)))
    chosen = [task.evaluation_batch(split, number) for number in numbers]
    if len(chosen[0]) < 3:
        return chosen
    scale = np.mean([batch[2].mean() for batch in chosen])
    return [(inputs, targets, weights / scale) for inputs, targets, weights in chosen]


def mean_loss(model: keras.Model, batches: Sequence[Batch]) -> float:
    """Return the mean loss over the samples of batches, as in an evaluation."""
    total = samples = 0.0
    for batch in batches:
        logs: Any = model.test_on_batch(*batch, return_dict=True)  # of this batch alone
        total += len(batch[1]) * float(logs["loss"])
        samples += len(batch[1])
    return total / samples


def _moved(weights: Arrays, first: Arrays, a: float, second: Arrays, b: float) -> Arrays:
    parts = zip(weights, first, second, strict=True)
    return [weight + a * one + b * other for weight, one, other in parts]


def _assign(model: keras.Model, weights: Arrays) -> None:
    for variable, weight in zip(model.trainable_variables, weights, strict=True):
        variable.assign(weight)


@dataclass(frozen=True)
class InspectionRequest:
    """Parameters of an inspection.

    The last four describe the loss landscape; see `inspection.explore_landscape`.

    Attributes:
        split: `"validation"` or `"test"`.
        checkpoint: `"best"` (by validation) or `"last"`.
        views: Names from `inspect.VIEWS`.
        example: Number of the example, from 0.
        batches: Number of batches for each loss.
        grid: Number of points in each direction.
        radius: Largest distance from the weights.
        seed: Seed of the directions.
    """

    split: Split
    checkpoint: str
    views: Collection[str]
    example: int = 0
    batches: int = 1
    grid: int = 21
    radius: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Inspection:
    """Result of an inspection.

    Attributes:
        run: Configuration of the run.
        run_dir: Run directory.
        step: Training step of the weights.
        request: Parameters of the inspection.
        trace: Trace of the example; None if only the landscape was requested.
        landscape: Loss landscape; None if it was not requested.
    """

    run: RunConfig
    folder: str
    step: int
    request: InspectionRequest
    trace: ExampleTrace | None
    landscape: Landscape | None

    def document(self) -> documents.Inspection:
        """Return the requested views as a JSON document."""
        request = self.request
        found: dict[str, Any] = {}
        if self.trace is not None:
            found["example"] = documents.TracedExample(
                number=request.example,
                steps=self.trace.steps,
                layers=[
                    documents.LayerTrace(
                        name=layer.name,
                        part=one.part or None,
                        backwards=layer.backwards,
                        **_chosen(one, request.views),
                    )
                    for layer in self.trace.layers
                    for one in layer.traces
                ],
            )
        if self.landscape is not None:
            found["landscape"] = documents.LossLandscape(
                seed=request.seed,
                batches=self.landscape.batches,
                samples=self.landscape.samples,
                ticks=self.landscape.ticks.tolist(),
                losses=self.landscape.losses.tolist(),
            )
        return documents.Inspection(
            task=self.run.task.label,
            cell=self.run.cell.name,
            split="test" if request.split == Split.TEST else "validation",
            weights_of_step=self.step,
            folder=self.folder,
            **found,
        )


def _chosen(one: Any, views: Collection[str]) -> dict[str, Any]:
    arrays = {
        "angles": {"angles_degrees": one.angles},
        "norm": {"norms": one.norms},
        "gate": {"update_gates": one.update_gates},
        "spectrum": {"spectrum_steps": one.spectrum_steps, "spectrum_degrees": one.spectrum},
    }
    return {
        name: None if array is None else array.tolist()
        for view, named in arrays.items()
        if view in views
        for name, array in named.items()
    }


def inspect_run(
    run_dir: RunDir,
    request: InspectionRequest,
    dataset: TaskDataset | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> Inspection:
    """Inspect a run.

    Args:
        run_dir: Run directory.
        request: Parameters of the inspection.
        dataset: Result of `dataset_binding.for_evaluation`; None to load the task's dataset, if
            it has one.
        report: Callback that receives a description of the current activity.

    Raises:
        RunError: If the checkpoint is missing or damaged.
        ConfigError: If the split has no such example, or the task's dataset is missing or invalid.
    """
    task, model, step = restore_run(run_dir, request.split, request.checkpoint, dataset)
    trace = landscape = None
    if set(request.views) - {"landscape"}:
        report(f"reading example {request.example}")
        trace = trace_example(task, model, request.split, request.example)
    if "landscape" in request.views:
        landscape = explore_landscape(
            task,
            model,
            request.split,
            request.batches,
            request.grid,
            request.radius,
            request.seed,
            report,
        )
    return Inspection(task.config, str(run_dir.path), step, request, trace, landscape)
