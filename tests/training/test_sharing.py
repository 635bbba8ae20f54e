import numpy as np
import pytest

from rumcli.training import sharing, state
from rumcli.training.dataset import training_batches
from rumcli.training.material import for_training
from rumcli.training.trainer import train  # noqa: F401 - the trainer imports it first
from tests import small
from tests.training.together import together


@pytest.fixture
def text(tmp_path):
    run = small.run_config("ptb", task__data=str(small.write_text(tmp_path / "text")))
    return run, for_training(run, None)


def test_each_worker_gets_its_shard_of_every_batch():
    task = small.task(small.run_config("recall"))
    expected = task.training_batch(3)
    parts = together(2, lambda member: next(iter(training_batches(task, 3, member))))
    for number, whole in enumerate(expected):
        found = np.concatenate([np.asarray(part[number]) for part in parts])
        np.testing.assert_array_equal(found, whole)


def test_checkpoint_of_several_workers_matches_one_process_and_is_sharded_again(text):
    # Given two workers with 4 of 8 streams each, and states of their own in them,
    from rumcli.tasks import registry

    run, material = text
    task = registry.make(run, material)
    generator = np.random.default_rng(0)
    models, states = [], []
    for rank in range(2):
        member = type("Member", (), {"count": 2, "rank": rank})
        model = sharing.task_of_mine(task, material, member).model()
        names = sharing._names_of_streams(model)
        states.append({name: generator.normal(size=(4, 8)).astype("float32") for name in names})
        for name, value in states[rank].items():
            state.lasting(model)[name].assign(value)
        models.append(model)
    # when a checkpoint is taken,
    captured = together(2, lambda member: sharing.capture(models[member.rank], member))
    # then it has all 8 streams in their order, as a model of one process has,
    one = state.capture(task.model())
    assert {k: v.shape for k, v in captured[0].items()} == {k: v.shape for k, v in one.items()}
    assert states[0]
    for name in states[0]:
        whole = np.concatenate([states[0][name], states[1][name]])
        np.testing.assert_array_equal(captured[1][name], whole)
    # and each worker finds its own in it.
    mine = together(2, lambda m: sharing.of_mine(models[m.rank], captured[0], m))
    for rank in range(2):
        for name, value in states[rank].items():
            np.testing.assert_array_equal(mine[rank][name], value)


def test_running_means_continue_with_another_worker_count():
    # Given sums over all rows, as a checkpoint within a span has them,
    model = small.task(small.run_config()).model()
    arrays = {"metrics/000.total": np.float32(24.0), "metrics/001.count": np.float32(8.0)}
    mine = together(4, lambda member: sharing.of_mine(model, arrays, member))
    # then each worker has an equal part, whose mean is the same.
    assert {(m["metrics/000.total"], m["metrics/001.count"]) for m in mine} == {(6.0, 2.0)}
