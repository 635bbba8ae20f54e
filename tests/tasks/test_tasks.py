import math
import re
from pathlib import Path

import keras
import numpy as np
import pytest

import rumcli
from rumcli import config
from rumcli.config import Split
from rumcli.models import builders
from rumcli.tasks import registry
from rumcli.tasks.task_config import CustomTaskConfig
from rumcli.training import requirements
from tests import small

TASKS = config.names("task")
OF_EXAMPLES = ["copying", "recall"]
CELLS = config.names("cell")


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(1)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", OF_EXAMPLES)
def test_a_model_gives_one_row_of_logits_per_answer(task, cell):
    made = registry.make(small.run_config(task, cell))
    inputs, targets = made.training_batch(0)
    classes = {"copying": 9, "recall": 10}[task]
    assert made.model()(inputs).shape == (*targets.shape, classes)


@pytest.mark.parametrize("task", OF_EXAMPLES)
def test_a_training_batch_is_a_function_of_seed_and_step(task):
    one, same = registry.make(small.run_config(task)), registry.make(small.run_config(task))
    other = registry.make(small.run_config(task, seed=2))
    assert np.array_equal(one.training_batch(3)[0], same.training_batch(3)[0])
    assert not np.array_equal(one.training_batch(3)[0], one.training_batch(4)[0])
    assert not np.array_equal(one.training_batch(3)[0], other.training_batch(3)[0])


def test_recall_repeats_its_training_examples():
    made = registry.make(small.run_config("recall", settings=["task.train_examples=12"]))
    seen = np.concatenate([made.training_batch(step)[0] for step in range(3)])  # 24 examples
    assert np.array_equal(seen[:12], seen[12:])
    assert len(np.unique(seen[:12], axis=0)) == 12


def test_batch_may_exceed_the_number_of_examples():
    made = registry.make(small.run_config("recall", settings=["task.train_examples=3"]))
    inputs, answers = made.training_batch(0)
    assert len(inputs) == len(answers) == 8
    assert np.array_equal(inputs[:3], inputs[3:6])


@pytest.mark.parametrize("task", OF_EXAMPLES)
def test_evaluation_sees_every_example_once(task):
    made = registry.make(small.run_config(task))  # 20 examples, batches of 8
    batches = [
        made.evaluation_batch(Split.TEST, number)[0]
        for number in range(made.num_batches(Split.TEST))
    ]
    assert [len(batch) for batch in batches] == [5, 5, 5, 5]
    assert np.array_equal(np.concatenate(batches), made.examples(Split.TEST, 0, 20)[0])


def test_memoryless_baseline_matches_a_model_without_memory():
    # Given logits that are sure of the blanks and undecided among the eight symbols,
    made = registry.make(small.run_config("copying", task__delay=30))
    _, targets = made.training_batch(0)
    logits = np.zeros((*targets.shape, 9), dtype="float32")
    logits[:, :-10, 0] = 100.0
    logits[:, -10:, 0] = -100.0
    # then the loss is the baseline.
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(targets, logits)
    assert float(loss) == pytest.approx(made.baseline.value, rel=1e-5)
    assert made.baseline.value == pytest.approx(10 * math.log(8) / 50)


def test_symbol_accuracy_counts_the_last_ten_steps_only():
    made = registry.make(small.run_config("copying"))
    metric = made.model()._compile_metrics  # built at the first batch
    _, targets = made.training_batch(0)
    logits = np.eye(9, dtype="float32")[targets]
    logits[:, -5:] = np.eye(9, dtype="float32")[0]
    metric.update_state(targets, logits)
    assert float(metric.result()["symbol_accuracy"]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("task", "higher"), [("copying", False), ("recall", True), ("ptb", False), ("babi", True)]
)
def test_the_monitored_metric_has_a_direction(task, higher, text):
    data = {"task__data": str(text)} if task == "ptb" else {}
    assert small.task(small.run_config(task, **data)).higher_is_better is higher


@pytest.mark.parametrize("optimizer", config.names("optimizer"))
def test_the_optimizer_is_the_configured_one(optimizer):
    settings = [
        f"optimizer.name={optimizer}",
        "optimizer.clip_norm=0.5",
        "optimizer.schedule.name=constant",
    ]
    made = registry.make(small.run_config(settings=settings, optimizer__learning_rate=0.25))
    found = made.model().optimizer
    assert type(found).__name__.lower() == optimizer
    assert float(found.learning_rate) == 0.25
    assert found.global_clipnorm == 0.5


def test_output_layer_is_initialized_as_in_the_original():
    made = registry.make(small.run_config("copying"))
    kernel, bias = made.model().get_layer("logits").get_weights()
    assert np.allclose(bias, 0.01)
    assert np.abs(kernel).max() <= math.sqrt(6 / (8 + 9))


@pytest.mark.parametrize("task", ["recall", "ptb"])
def test_output_layer_receives_scaled_states(text, task):
    data = {"task__data": str(text)} if task == "ptb" else {}
    plain, scaled = (
        small.task(small.run_config(task, settings=[f"model.output_scale={scale}"], **data))
        for scale in (1, 4)
    )
    models = plain.model(), scaled.model()
    models[1].set_weights(models[0].get_weights())
    bias = models[0].get_layer("logits").bias.numpy()
    inputs, *_ = plain.evaluation_batch(Split.VALIDATION, 0)
    before, after = (model.predict_on_batch(inputs) for model in models)
    assert np.allclose(after - bias, 4 * (before - bias), atol=1e-5)


@pytest.mark.parametrize(
    ("scale", "cell", "time_norm", "expected"),
    [
        ("unit", "arum", 0.25, 4),
        ("rms", "arum", 0.25, 4 * math.sqrt(8)),
        ("unit", "rum", "null", None),
        ("rms", "rum", "null", None),
        ("rms", "gru", None, None),
    ],
)
def test_named_scale_compensates_for_the_time_norm(scale, cell, time_norm, expected):
    norm = [] if time_norm is None else [f"cell.time_norm={time_norm}"]
    made = registry.make(
        small.run_config("recall", cell, settings=[f"model.output_scale={scale}", *norm])
    )
    found = [layer.scale for layer in made.model().layers if layer.name == "output_scale"]
    assert found == ([] if expected is None else [expected])


def test_every_task_can_be_created(text):
    data = {"ptb": {"task__data": str(text)}}
    made = [small.task(small.run_config(task, **data.get(task, {}))) for task in TASKS]
    assert [task.config.task.name for task in made] == TASKS


def test_custom_task_is_named_after_its_class():
    labels = [
        CustomTaskConfig(factory=f"mine.own:{name}").label
        for name in ("FlipFlop", "parity2", "Copying")
    ]
    assert labels == ["flip_flop", "parity2", "own_copying"]


def test_no_name_of_a_task_is_compared_outside_the_tasks():
    """What depends on the task is in its package, or in its configuration."""
    root = Path(rumcli.__file__).parent
    compared = re.compile(r"\btask(\.name)? [!=]= |isinstance\([\w.]*task,")
    found = [
        (path.name, line)
        for path in root.rglob("*.py")
        if root / "tasks" not in path.parents
        for line in path.read_text(encoding="utf-8").splitlines()
        if compared.search(line)
    ]
    # A run is resumed as a run of the task that was typed.
    assert [name for name, _ in found] == ["run_dir.py"]


def test_tasks_require_a_text_only_if_they_read_one():
    with pytest.raises(ValueError, match="must be of type CharDataset, got None"):
        registry.make(small.run_config("ptb"))


@pytest.mark.parametrize("every_step", [True, False])
def test_cells_are_stacked_with_dropout_after_each(every_step):
    run = small.run_config(settings=["model.layers=3", "model.dropout=0.5"])
    made = builders.classifier(run, 7, 4, 2, every_step=every_step)
    assert [layer.name for layer in made.layers] == [
        "one_hot",
        "cell",
        "dropout",
        "cell_2",
        "dropout_2",
        "cell_3",
        "dropout_3",
        "logits",
    ]
    assert made(np.zeros((5, 7), "int32")).shape == ((5, 7, 2) if every_step else (5, 2))


def test_output_layer_of_the_original_starts_with_the_fan_in_of_the_inputs():
    run = small.run_config(settings=["model.output_initializer=input_glorot_uniform"])
    made = builders.classifier(run, 7, 10, 9, every_step=True)
    kernel = np.abs(made.get_layer("logits").kernel)
    # ±√6/√(10 + 9) whatever the number of units; the maximum of the draws is slightly below.
    assert 0.85 * math.sqrt(6 / 19) < kernel.max() <= math.sqrt(6 / 19)


@pytest.mark.parametrize("task", [name for name in TASKS if name != "custom"])
def test_metric_names_are_known_without_keras(task, text):
    data = {"task__data": str(text)} if task == "ptb" else {}
    run = small.run_config(task, **data)
    made = small.task(run)
    assert set(run.task.metrics) == set(requirements.result_metrics(made))
    assert set(run.task.validated_metrics()) == set(requirements.validation_metrics(made))
