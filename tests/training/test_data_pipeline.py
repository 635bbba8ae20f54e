import numpy as np
import pytest
from keras import tree

from rumcli.config import Split
from rumcli.tasks import registry
from rumcli.training import data_pipeline
from rumcli.training.process_group import ProcessGroup
from tests import small


def first_batches(batches, count):
    return [batch for batch, _ in zip(batches, range(count), strict=False)]


def make_task(task, place):
    data = {"task__data": str(small.write_text(place))} if task == "ptb" else {}
    return small.task(small.run_config(task, **data))


def assert_same(found, expected):
    tree.assert_same_structure(found, expected)
    for part, other in zip(tree.flatten(found), tree.flatten(expected), strict=True):
        np.testing.assert_array_equal(part, other)
        assert part.dtype == other.dtype


@pytest.mark.parametrize("task", ["copying", "recall", "ptb"])
@pytest.mark.parametrize("first_step", [0, 13])
def test_training_batches_are_those_of_the_steps_in_their_order(tmp_path, task, first_step):
    made = make_task(task, tmp_path)
    # More than one block.
    found = first_batches(data_pipeline.training_batches(made, first_step).as_numpy_iterator(), 20)
    for step, batch in enumerate(found, first_step):
        assert_same(batch, made.training_batch(step))


@pytest.mark.parametrize("task", ["copying", "recall", "ptb"])
def test_evaluation_has_every_batch_once_and_can_be_repeated(tmp_path, task):
    made = make_task(task, tmp_path)
    batches = data_pipeline.evaluation_batches(made, "test")
    assert len(batches) == made.num_batches("test")
    for _ in range(2):
        for number, batch in enumerate(batches.as_numpy_iterator()):
            assert_same(batch, made.evaluation_batch("test", number))
        assert number == made.num_batches("test") - 1


def test_static_shape_of_evaluation_batches_is_declared(tmp_path):
    inputs, targets, weights = data_pipeline.evaluation_batches(
        make_task("ptb", tmp_path), "test"
    ).element_spec
    assert inputs["symbols"].shape == targets.shape == weights.shape == (3, 6)
    run = small.run_config("copying", settings=["task.test_examples=13"])
    inputs, _ = data_pipeline.evaluation_batches(registry.make(run), "test").element_spec
    assert tuple(inputs.shape) == (None, 24)


def test_static_shape_of_training_batches_is_declared():
    made = registry.make(small.run_config("copying"))
    inputs, _ = data_pipeline.training_batches(made, 0).element_spec
    assert tuple(inputs.shape) == (8, 24)


def test_other_backends_get_a_plain_generator(monkeypatch):
    monkeypatch.setattr(data_pipeline.keras.backend, "backend", lambda: "jax")
    made = registry.make(small.run_config("recall"))
    (batch,) = first_batches(data_pipeline.training_batches(made, 3), 1)
    np.testing.assert_array_equal(batch[0], made.training_batch(3)[0])
    evaluation = data_pipeline.evaluation_batches(made, "test")
    assert len(evaluation) == made.num_batches("test")
    np.testing.assert_array_equal(evaluation[2][0], made.evaluation_batch("test", 2)[0])


@pytest.mark.parametrize(
    ("examples", "size", "expected"),
    [
        (20, 8, [5] * 4),  # not divisible by an even size
        (2048, 128, [128] * 16),
        (10_000, 128, [100] * 100),
        (7, 8, [7]),
        (13, 8, [8, 5]),  # a prime number
    ],
)
def test_evaluation_batches_have_one_size_if_possible(examples, size, expected):
    settings = [f"task.test_examples={examples}", f"train.batch_size={size}"]
    made = registry.make(small.run_config("copying", settings=settings, train__batch_size=size))
    sizes = [
        len(made.evaluation_batch("test", number)[0]) for number in range(made.num_batches("test"))
    ]
    assert sizes == expected


@pytest.mark.parametrize(("examples", "rows"), [(16, [4, 4]), (11, [8, 3])])
def test_evaluation_is_split_over_devices_if_all_its_batches_divide(examples, rows):
    run = small.run_config(settings=[f"task.validation_examples={examples}"])
    replicated = []
    group = ProcessGroup(1, 2, 2, set_replicated=replicated.append)
    batches = data_pipeline._EvaluationSequence(small.task(run), Split.VALIDATION, group)
    assert [len(batches[number][0]) for number in range(len(batches))] == rows
    assert set(replicated) == {examples == 11}
