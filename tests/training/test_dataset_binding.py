from pathlib import Path

import pytest

from rumcli import config
from rumcli.config import Split
from rumcli.errors import ConfigError, RunError
from rumcli.tasks.babi import dataset
from rumcli.training import dataset_binding
from rumcli.training.run_dir import RunDir
from tests import babi


@pytest.fixture
def data(tmp_path):
    return babi.write_subtasks(tmp_path / "en", numbers=(1, 5))


def of_babi(data, **flags):
    settings = [f"task.{name}={value}" for name, value in flags.items()]
    given = None if data is None else str(data)
    return config.build(None, settings, {("task", "name"): "babi", ("task", "data"): given})


def begin_run(run, place):
    run_dir = RunDir.create(place, run)
    dataset_binding.write_metadata(dataset_binding.for_training(run, None), run_dir)
    return run_dir


def test_the_last_tenth_of_the_training_stories_is_validation(data):
    found = dataset_binding.for_training(of_babi(data), None)
    counts = {split: len(asked) for split, asked in found.questions.items()}
    assert counts == {"train": 72, "validation": 8, "test": 24}
    assert found.source == f"{data}, en"


def test_questions_that_exceed_memory_are_rejected(data, tmp_path, monkeypatch):
    run = of_babi(data)
    run_dir = begin_run(run, tmp_path / "run")
    monkeypatch.setattr(dataset, "_LARGEST", 100)
    with pytest.raises(ConfigError, match=r"the train questions, .* exceed the memory limit"):
        dataset_binding.for_training(run, None)
    with pytest.raises(ConfigError, match=r"the test questions, .* exceed the memory limit"):
        dataset_binding.for_evaluation(run_dir, Split.TEST)


def test_stories_generated_without_data_depend_on_the_seed_only():
    sizes = {"train_examples": 20, "validation_examples": 10, "test_examples": 10}
    one, two = (dataset_binding.for_training(of_babi(None, **sizes), None) for _ in range(2))
    assert one.source == "generated"
    assert one.contents == two.contents
    other = of_babi(None, **sizes).model_copy(update={"seed": 2})
    assert dataset_binding.for_training(other, None).contents != one.contents


def test_run_evaluates_on_its_own_data(data, tmp_path):
    run_dir = begin_run(of_babi(data), tmp_path / "run")
    found = dataset_binding.for_evaluation(run_dir, Split.TEST)
    assert list(found.questions) == ["test"]
    babi.write_subtasks(data, test=13)
    with pytest.raises(
        ConfigError, match="the test split differs from those of the run; to evaluate"
    ):
        dataset_binding.for_evaluation(run_dir, Split.TEST)
    assert len(dataset_binding.for_evaluation(run_dir, Split.TEST, data).questions["test"]) == 26


def test_resume_rejects_other_stories(data, tmp_path):
    run_dir = begin_run(of_babi(data), tmp_path / "run")
    babi.write_subtasks(data, train=41)
    with pytest.raises(
        ConfigError, match="the train and validation splits differ from those of the"
    ):
        dataset_binding.for_training(run_dir.config, run_dir)


def test_runs_with_other_stories_are_named(data, tmp_path):
    # given
    run_dirs = [begin_run(of_babi(data), tmp_path / f"run-{number}") for number in (1, 2)]
    new = RunDir.create(tmp_path / "new", of_babi(data))
    other = of_babi(babi.write_subtasks(tmp_path / "moved", numbers=(1, 5)))

    # then
    dataset_binding.check_same_dataset(other, [*run_dirs, new])
    babi.write_subtasks(tmp_path / "moved", train=41)
    with pytest.raises(ConfigError, match=r"run-1: .* the train and validation splits differ "):
        dataset_binding.check_same_dataset(other, [new, *run_dirs])
    (run_dirs[0].path / dataset_binding.NAME).write_text("[]")
    with pytest.raises(ConfigError, match=r"run-2: "):
        dataset_binding.check_same_dataset(other, run_dirs)
    dataset_binding.check_same_dataset(other, [new])


def test_single_file_can_be_evaluated_but_not_trained_on(data, tmp_path):
    run_dir = begin_run(of_babi(data), tmp_path / "run")
    file = data / "qa1_single-supporting-fact_train.txt"
    assert len(dataset_binding.for_evaluation(run_dir, Split.TEST, file).questions["test"]) == 80
    with pytest.raises(ConfigError, match="has no test stories; training requires"):
        dataset_binding.for_training(of_babi(file), None)


def test_missing_training_file_is_generated_only_on_request(data):
    (data / "qa5_three-arg-relations_train.txt").unlink()
    with pytest.raises(ConfigError, match=r"en has no qa5_three-arg-relations_train\.txt"):
        dataset_binding.for_training(of_babi(data, subtask=5), None)
    sizes = {"train_examples": 20, "validation_examples": 10}
    run = of_babi(data, subtask=5, generate_missing_train=True, **sizes)
    found = dataset_binding.for_training(run, None)
    missing = "qa5_three-arg-relations_train.txt"
    assert found.source.endswith(f"; training stories generated because {missing} is missing")
    assert len(found.questions["test"]) == 24


def test_stories_of_all_subtasks_cannot_be_loaded_together(tmp_path):
    run_dir = RunDir.create(tmp_path / "run", of_babi(None, subtask="all"))
    (run_dir.path / dataset_binding.NAME).write_text("{}")
    with pytest.raises((ConfigError, RunError)):
        dataset_binding.for_evaluation(run_dir, Split.TEST)


def test_missing_metadata_are_reported(data, tmp_path):
    run_dir = begin_run(of_babi(data), tmp_path / "run")
    Path(run_dir.path / dataset_binding.NAME).write_text("[]")
    with pytest.raises(RunError, match="is damaged"):
        dataset_binding.for_evaluation(run_dir, Split.TEST)
