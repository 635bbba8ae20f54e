"""Small tables for tests."""

import json

from rumcli.config import yaml_file
from rumcli.reproduction import plan
from rumcli.reproduction import table as tables
from rumcli.reproduction.folder import TableFolder
from tests.runs import write_summary

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


def write_table(folder, name="small.yaml", **changes):
    """Write a small table; a change to None takes a key out."""
    content = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    path = folder / name
    path.write_text(yaml_file.dump(content), "utf-8")
    return path


def table(folder, **changes):
    """Return a small table, and a folder for it."""
    read = tables.read(str(write_table(folder, **changes)))
    place = TableFolder.prepare(folder / "out", read)
    place.keep(read)
    return read, place


def runs(read, seeds=2, only=()):
    """Return the runs of a table by their names."""
    return {run.name: run for run in plan.runs(read, seeds, only)}


def finish_run(folder, run, value, metric="loss", **changes):
    """Write the summary of a finished run of a table; see `runs.write_summary`."""
    write_summary(folder.begin(run, run.config), value, metric, **changes)


def write_record(folder, run, step, value, metric="loss"):
    """Write the record of one evaluation of a run."""
    place = folder.begin(run, run.config)
    line = json.dumps({"step": step, f"val_{metric}": value, "seconds": 1.0})
    (place.path / "metrics.jsonl").write_text(f"{line}\n")
