"""Comparison of runs from the files in their directories, without Keras."""

import json
from pathlib import Path

import pytest

from rumcli import config
from rumcli.analysis.comparison import compare
from rumcli.training.run_dir import RunDir
from tests import small
from tests.runs import summary_of

LEVELS = {
    "loss": {"metric": "loss", "label": "memoryless", "value": 0.5, "target": 0.0},
    "accuracy": {"metric": "accuracy", "label": "chance", "value": 0.1, "target": 1.0},
}


def write_run(path, run, records=(), summary=None, plan=None):
    """Write a run directory with the given records and summary."""
    path.mkdir()
    (path / "config.yaml").write_text(config.to_yaml(run))
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (path / "metrics.jsonl").write_text(lines)
    for name, content in (("summary.json", summary), ("plan.json", plan)):
        if content is not None:
            (path / name).write_text(json.dumps(content))
    return RunDir(path)


def validations(name, *values):
    return [
        {"step": 10 * number, f"val_{name}": value, "seconds": 2.0 * number}
        for number, value in enumerate(values, 1)
    ]


def finished(name, value, **more):
    run = RunDir(Path("run"))
    changes = {"steps": 20, "seconds": 9.0, "parameters": 77, "baseline": LEVELS[name], **more}
    return summary_of(small.run_config(), run, value, name, **changes)


def suite(mean):
    """Return the summary of a finished run of all subtasks."""
    subtask = {
        **{"subtask": 1, "name": "single-supporting-fact", "accuracy": mean, "loss": 1.0},
        "standard_error": 0.1,
        **{"questions": 10, "weights_of_step": 10, "steps": 20, "seconds": 1.0, "data": "there"},
        "majority": 0.2,
    }
    return {
        **{"schema": "rum/train-all/1", "task": "babi", "cell": "gru", "steps": 20, "seconds": 1.0},
        **{
            "split": "test",
            "mean_accuracy": mean,
            "standard_error": 0.1,
            "passed": 0,
            "passed_from": 0.95,
        },
        **{"published_means": {}, "subtasks": [subtask], "folder": "run"},
    }


@pytest.mark.parametrize(
    ("task", "name", "expected"),
    [("copying", "loss", ["low", "middle", "high"]), ("recall", "accuracy", None)],
)
def test_the_best_run_comes_first(tmp_path, task, name, expected):
    run = small.run_config(task)
    figures = {"middle": 0.3, "low": 0.2, "high": 0.4}
    run_dirs = [
        write_run(tmp_path / place, run, summary=finished(name, value))
        for place, value in figures.items()
    ]
    (group,) = compare(run_dirs)
    found = [RunDir(tmp_path / row.folder).path.name for row in group.runs]
    assert found == (expected or ["high", "middle", "low"])
    assert group.metric == name
    assert group.higher_is_better is (expected is None)


def test_finished_run_has_its_test_and_unfinished_run_its_best_validation(tmp_path):
    run = small.run_config()
    plan = {"parameters": 55, "baseline": LEVELS["loss"]}
    run_dirs = [
        write_run(tmp_path / "none", run, plan=plan),
        write_run(tmp_path / "under way", run, validations("loss", 0.4, 0.2, 0.3), plan=plan),
        write_run(tmp_path / "done", run, validations("loss", 0.1), finished("loss", 0.25), plan),
    ]
    (group,) = compare(run_dirs)
    keys = ("split", "value", "weights_of_step", "steps", "seconds", "parameters", "finished")
    assert [tuple(getattr(row, key) for key in keys) for row in group.runs] == [
        ("validation", 0.2, 20, 30, 6.0, 55, False),
        ("test", 0.25, 10, 20, 9.0, 77, True),
        (None, None, None, 0, None, 55, False),
    ]
    assert group.runs[0].baseline.label == "memoryless"
    distances = [run.gap_to_baseline for run in group.runs]
    assert distances == [pytest.approx(-0.3), pytest.approx(-0.25), None]


def test_each_task_is_a_separate_group(tmp_path):
    every = small.run_config("babi", task__subtask="all")
    run_dirs = [
        write_run(tmp_path / "a", small.run_config("recall")),
        write_run(tmp_path / "b", small.run_config("copying", steps=30)),
        write_run(tmp_path / "c", every, summary=suite(0.4)),
        write_run(tmp_path / "d", small.run_config("copying")),
        write_run(tmp_path / "e", every, summary=suite(0.6)),
    ]
    groups = compare(run_dirs)
    assert [group.task for group in groups] == ["recall", "copying", "babi, all subtasks"]
    assert [group.differences for group in groups] == [[], ["train.steps"], []]
    assert [row.value for row in groups[2].runs] == [0.6, 0.4]


def test_settings_stay_with_their_run_when_the_order_changes(tmp_path):
    run_dirs = [
        write_run(
            tmp_path / str(seed), small.run_config(seed=seed), summary=finished("loss", value)
        )
        for seed, value in ((1, 0.3), (2, 0.2))
    ]
    (group,) = compare(run_dirs)
    assert [(run.folder, run.settings) for run in group.runs] == [
        (str(tmp_path / "2"), {"seed": 2}),
        (str(tmp_path / "1"), {"seed": 1}),
    ]


@pytest.mark.parametrize(
    ("task", "name"), [("copying", "loss"), ("recall", "accuracy"), ("ptb", "bits_per_character")]
)
def test_runs_without_a_plan_are_compared_by_their_records(tmp_path, task, name):
    records = [{**record, "val_loss": 1.0} for record in validations("x", 0, 0)]
    records = [{**record, f"val_{name}": n} for n, record in enumerate(records, 1)]
    (group,) = compare([write_run(tmp_path / "a", small.run_config(task), records)])
    assert group.metric == name
    assert group.runs[0].value == (2 if name == "accuracy" else 1)
    assert group.runs[0].baseline is None


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"baseline": 3},
        {"baseline": {"metric": "loss"}},
        {"baseline": {**LEVELS["loss"], "value": None}},
        {"loss": "low", "steps": "all", "parameters": None, "seconds": True},
        {"steps": -5, "parameters": -1, "weights_of_step": -3},
        {**finished("loss", 0.1), "seconds": -1.0},
        {**finished("loss", 0.1), "baseline": None},
        {**suite(0.1), "passed": 21},
    ],
)
def test_foreign_summary_is_ignored(tmp_path, content):
    run_dir = write_run(tmp_path / "a", small.run_config(), validations("loss", 0.4), content)
    (tmp_path / "a" / "metrics.jsonl").open("a").write('[1]\n{"step": null}\n{"val_')
    (group,) = compare([run_dir])
    assert group.runs[0].value == 0.4
