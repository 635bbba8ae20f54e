"""Small tables for tests."""

import json

from rumcli.config import yaml_io
from rumcli.jobs.job_folder import read_run
from rumcli.reproduction import table_results, table_spec
from rumcli.reproduction import table_spec as tables
from rumcli.reproduction.table_results import TableFolder, TableOptions
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
    "metric": "loss",
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
    path.write_text(yaml_io.dump(content), "utf-8")
    return path


def table(folder, **changes):
    """Return a small table, and a folder for it."""
    read = tables.read_table(str(write_table(folder, **changes)))
    place = TableFolder.prepare(folder / "out", read)
    place.describe(read, TableOptions())
    return read, place


def runs(read, seeds=2, only=(), conditions=()):
    """Return the due runs of a table by their names."""
    return {
        job.name: job
        for _, job in table_spec.due_groups(table_spec.job_groups(read, seeds, only, conditions))
    }


def result_of(read, folder, run):
    """Return the result of a run of a table."""
    return table_results.measure(read)(read_run(folder, run))


def results_of(read, folder, seeds=2, only=()):
    """Return the results of a table."""
    return table_results.read_results(read, folder, table_spec.job_groups(read, seeds, only), seeds)


def finish_run(folder, run, value, metric="loss", **changes):
    """Write the summary of a finished run of a table."""
    write_summary(folder.begin(run), value, metric, **changes)


def write_record(folder, run, step, value, metric="loss"):
    """Write the record of one evaluation of a run."""
    place = folder.begin(run)
    line = json.dumps({"step": step, f"val_{metric}": value, "seconds": 1.0})
    (place.path / "metrics.jsonl").write_text(f"{line}\n")
