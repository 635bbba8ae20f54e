"""Small tables for tests."""

import json

from rumcli.config import yaml_file
from rumcli.reproduction import plan
from rumcli.reproduction import table as tables
from rumcli.reproduction.folder import TableFolder

SMALL = {
    "description": "A small table",
    "source": "nowhere",
    "task": "copying",
    "set": {
        "task.validation_examples": 20,
        "task.test_examples": 20,
        "cell.units": 8,
        "train.batch_size": 8,
        "train.steps": 20,
        "train.eval_every": 10,
        "train.checkpoint_every": 5,
    },
    "figure": "loss",
    "unit": "nats",
    "decimals": 3,
    "conditions": {"T = 4": {"task.delay": 4}, "T = 6": {"task.delay": 6}},
    "rows": {
        "GRU": {"set": {"cell.name": "gru"}, "published": {"T = 4": 0.25}},
        "LSTM": {"set": {"cell.name": "lstm"}, "published": "much"},
    },
    "seeds": 2,
}
PLAIN = {"GRU": {"set": {"cell.name": "gru"}}, "LSTM": {"set": {"cell.name": "lstm"}}}


def write(folder, name="small.yaml", **changes):
    """Write a small table; a change to None takes a key out."""
    content = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    path = folder / name
    path.write_text(yaml_file.dump(content), "utf-8")
    return path


def table(folder, **changes):
    """Return a small table, and a folder for it."""
    read = tables.read(str(write(folder, **changes)))
    place = TableFolder.prepare(folder / "out", read)
    place.keep(read)
    return read, place


def runs(read, seeds=2, only=()):
    """Return the runs of a table by their names."""
    return {run.name: run for run in plan.runs(read, seeds, only)}


def give(folder, run, value, metric="loss", steps=None, reached=None, seconds=2.0):
    """Give a run of a table the summary of a finished one."""
    finish(folder.begin(run), value, metric, steps, reached, seconds)


def finish(place, value, metric="loss", steps=None, reached=None, seconds=2.0):
    """Write the summary of a finished run into its folder."""
    run = place.config
    reference = {"of": metric, "label": "chance", "level": 1.0, "solved": 0.0}
    summary = {
        "task": run.task.name,
        "cell": run.cell.name,
        "split": "test",
        "metric": metric,
        "loss": 1.0,
        metric: value,
        "steps": steps or run.train.steps,
        "reached": reached,
        "seconds": seconds,
        "parameters": 7,
        "weights_of_step": 10,
        "beaten": True,
        "reference": reference,
        "folder": str(place.path),
    }
    place.write_json("summary.json", summary)


def record(folder, run, step, value, metric="loss"):
    """Give a run an evaluation."""
    place = folder.begin(run)
    line = json.dumps({"step": step, f"val_{metric}": value, "seconds": 1.0})
    (place.path / "metrics.jsonl").write_text(f"{line}\n")
