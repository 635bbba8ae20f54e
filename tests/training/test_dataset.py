import numpy as np
import pytest

from rumcli.tasks import registry
from rumcli.training import dataset
from tests import small


def first_batches(batches, count):
    return [batch for batch, _ in zip(batches, range(count), strict=False)]


@pytest.mark.parametrize("task", ["copying", "recall"])
@pytest.mark.parametrize("first_step", [0, 13])
def test_training_batches_are_those_of_the_steps_in_their_order(task, first_step):
    made = registry.make(small.run_config(task))
    # More than are made at once.
    found = first_batches(dataset.training_batches(made, first_step).as_numpy_iterator(), 20)
    for step, batch in enumerate(found, first_step):
        for part, expected in zip(batch, made.training_batch(step), strict=True):
            np.testing.assert_array_equal(part, expected)
            assert part.dtype == expected.dtype


def test_the_shape_of_a_training_batch_is_known_beforehand():
    made = registry.make(small.run_config("copying"))
    inputs, _ = dataset.training_batches(made, 0).element_spec
    assert tuple(inputs.shape) == (8, 24)


def test_other_backends_get_a_plain_generator(monkeypatch):
    monkeypatch.setattr(dataset.keras.backend, "backend", lambda: "jax")
    made = registry.make(small.run_config("recall"))
    (batch,) = first_batches(dataset.training_batches(made, 3), 1)
    np.testing.assert_array_equal(batch[0], made.training_batch(3)[0])


@pytest.mark.parametrize(
    ("examples", "size", "expected"),
    [
        (20, 8, [5] * 4),  # no even size divides it
        (2048, 128, [128] * 16),
        (10_000, 128, [100] * 100),
        (7, 8, [7]),
        (13, 8, [8, 5]),  # a prime number
    ],
)
def test_evaluation_batches_are_of_one_size_where_that_can_be(examples, size, expected):
    settings = [f"task.test_examples={examples}", f"train.batch_size={size}"]
    made = registry.make(small.run_config("copying", settings=settings, train__batch_size=size))
    sizes = [
        len(made.evaluation_batch("test", number)[0]) for number in range(made.batches_in("test"))
    ]
    assert sizes == expected
