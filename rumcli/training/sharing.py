"""A model of which each process trains on its own rows of every batch, as one process has it.

Weights and the optimizer's variables are the same in all processes. What is not: the states of the
streams that a process carries on, its means since the last evaluation, and the seeds of what it
draws. A checkpoint has them as one process would, so that a run may go on with another number.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from keras import tree

from rumcli.config import Split
from rumcli.errors import ConfigError
from rumcli.tasks import guarded, registry
from rumcli.tasks.base import Task
from rumcli.tasks.carried import Carried
from rumcli.tasks.material import Material
from rumcli.training import state
from rumcli.training.checkpoint import Checkpoint
from rumcli.training.dataset import evaluation_batches
from rumcli.training.group import Group

Arrays = dict[str, np.ndarray]

_COUNTS = ("skipped", "skipped_in_a_row", "reached")  # of a checkpoint's progress


def task_of_mine(task: Task, material: Material | None, group: Group) -> Task:
    """Make the task of this process's rows alone, whose model takes as many."""
    if group.count == 1:
        return task
    run = task.config
    size = run.train.batch_size // group.count
    train = run.train.model_copy(update={"batch_size": size})
    return registry.make(run.model_copy(update={"train": train}), material)


def prepare(model: keras.Model, group: Group) -> None:
    """Let the model's optimizer act on the gradients of all processes.

    Raises:
        ConfigError: If it has one that can't.
    """
    if group.count == 1:
        return
    if not isinstance(model.optimizer, guarded.Guarded):
        raise ConfigError(
            f"--workers {group.count}: the model of the task has an optimizer of its own; "
            "expected that of rumcli.tasks.model.compile_model"
        )
    model.optimizer.mean_gradients = group.mean_gradients()
    model.jit_compile = False  # XLA can't wait for another process
    generators = state.random_states(model)
    for variable in generators.values():
        variable.assign(group.seed(keras.ops.convert_to_numpy(variable)))


def capture(model: keras.Model, group: Group) -> Arrays:
    """Return what `state.capture` does, as one process would have it; all have to ask."""
    arrays = state.capture(model)
    for name in _names_of_streams(model):
        arrays[name] = group.gather(arrays[name])
    return arrays


def capture_metrics(model: keras.Model, group: Group) -> Arrays:
    """Return what `state.capture_metrics` does, of all rows; all have to ask."""
    arrays = state.capture_metrics(model)
    if group.count == 1:
        return arrays
    return {name: group.sum(array).astype(array.dtype) for name, array in arrays.items()}


def of_mine(model: keras.Model, arrays: Mapping[str, np.ndarray], group: Group) -> Arrays:
    """Return this process's part of what `capture` and `capture_metrics` returned.

    Of sums over all rows, an equal part: then the mean of all processes' means goes on rightly.
    """
    if group.count == 1:
        return dict(arrays)
    mine = dict(arrays)
    for name in set(_names_of_streams(model)) & set(arrays):
        mine[name] = arrays[name][group.share(len(arrays[name]))]
    for name in set(state.random_states(model)) & set(arrays):
        mine[name] = group.seed(arrays[name])
    for name, array in state.metrics_among(arrays).items():
        mine[name] = (array / group.count).astype(array.dtype)
    return mine


def spread(
    task: Task, model: keras.Model, checkpoint: Checkpoint | None, group: Group
) -> Checkpoint | None:
    """Give the chief's checkpoint to the others.

    Args:
        task: Makes whole batches.
        model: Of this process; its metrics have been used, where there is a checkpoint.
        checkpoint: The chief's; else None.
        group: The processes.

    Returns:
        The checkpoint, if the chief has one, with this process's part of the arrays.

    Raises:
        RunError: If the processes do not have the same weights, data and versions after that.
    """
    if group.count == 1:
        return checkpoint
    chiefs = checkpoint or Checkpoint(-1, {}, {})
    has_metrics = bool(state.metrics_among(chiefs.arrays))
    counts = [chiefs.progress.get(name, 0) for name in _COUNTS]
    header = group.from_chief(np.array([chiefs.step, has_metrics, *counts], "int64")).tolist()
    if header[0] >= 0:
        use_metrics(task, model)
        expected = _empty(model, group, with_metrics=bool(header[1]))
        arrays = {
            name: group.from_chief(chiefs.arrays.get(name, array))
            for name, array in expected.items()
        }
        progress = {"seconds": 0.0, "best": None, **dict(zip(_COUNTS, header[2:], strict=True))}
        checkpoint = Checkpoint(
            header[0], of_mine(model, arrays, group), {**progress, **chiefs.progress}
        )
        state.restore(model, checkpoint.arrays)
    group.check_equal(tree.flatten(task.training_batch(max(header[0], 0))), "training data")
    check_equal(model, group)
    return checkpoint


def use_metrics(task: Task, model: keras.Model) -> None:
    """Have Keras make the metrics' variables, which it does at the first batch."""
    model.evaluate(evaluation_batches(task, Split.VALIDATION), steps=1, verbose=0)


def check_equal(model: keras.Model, group: Group) -> None:
    """Make sure that all processes have the same weights, and the same optimizer's variables.

    Raises:
        RunError: If not.
    """
    if group.count == 1:
        return
    model.optimizer.build(model.trainable_variables)
    variables = [*model.trainable_variables, *model.optimizer.variables]
    arrays = [keras.ops.convert_to_numpy(variable) for variable in variables]
    group.check_equal(arrays, "weights")


def _empty(model: keras.Model, group: Group, with_metrics: bool) -> Arrays:
    """Return arrays of the shapes of those of a checkpoint."""
    arrays = state.capture(model)
    if with_metrics:
        arrays |= state.capture_metrics(model)
    for name in _names_of_streams(model):
        rows, *rest = arrays[name].shape
        arrays[name] = np.zeros((rows * group.count, *rest), arrays[name].dtype)
    return arrays


def _names_of_streams(model: keras.Model) -> list[str]:
    carried = [layer for layer in model.layers if isinstance(layer, Carried)]
    states = {id(variable) for layer in carried for variable in layer.training_states}
    return [name for name, one in state.lasting(model).items() if id(one) in states]
