"""The loss around the weights of a model, along two random directions.

Each direction is filter-normalized, so that distances are comparable across layers.
Source: Li et al. 2018, arXiv:1712.09913, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from rumcli.config import Split
from rumcli.tasks.base import Batch, Task

Arrays = list[np.ndarray]


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


def explore(
    task: Task,
    model: keras.Model,
    split: Split,
    batches: int,
    grid: int,
    radius: float,
    seed: int,
    tell: Callable[[str], None],
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
        tell: Callback that receives a description of the progress.
    """
    chosen = first_batches(task, split, batches)
    weights = [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]
    first, second = directions(weights, seed)
    ticks = np.linspace(-radius, radius, grid)
    losses = np.empty((grid, grid))
    try:
        for row, b in enumerate(ticks):
            for column, a in enumerate(ticks):
                tell(f"landscape: point {row * grid + column + 1} of {grid * grid}")
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
