"""Small sweeps for tests."""

import json

from rumcli.config import yaml_io
from rumcli.sweeps import sweep_spec as plans
from rumcli.sweeps.search import SweepFolder
from tests.runs import write_summary

SMALL = {
    "task": "copying",
    "set": {
        "task.delay": 4,
        "task.validation_examples": 20,
        "task.test_examples": 20,
        "cell.name": "gru",
        "cell.units": 8,
        "train.batch_size": 8,
        "train.steps": 20,
        "train.eval_every": 10,
        "train.checkpoint_every": 5,
    },
    "search": "grid",
    "parameters": {"optimizer.learning_rate": [0.01, 0.001]},
    "seeds": [1, 2],
}


def write_sweep(folder, name="sweep.yaml", **changes):
    """Write the description of a small sweep; a change to None takes a key out."""
    content = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    path = folder / name
    path.write_text(yaml_io.dump(content))
    return path


def sweep(folder, points, **changes):
    """Create the directory of a sweep with drawn points; return it and its plan."""
    plan = plans.read(write_sweep(folder, **changes))
    with SweepFolder.claim(folder / "out", "sweep", plan) as made:
        made.write_points(points)
    return made, plan


def run_of(plan, number, seed, settings):
    """Return a run of a sweep: that of a point with a seed."""
    return next(job for job in plan.group(number, settings).jobs if job.seed == seed)


def write_run(made, run, values=(), test=None, metric="loss", higher=False):
    """Write the records of a run of a sweep, and the summary of a finished one."""
    place = made.begin(run)
    levels = (0.1, 1.0) if higher else (1.0, 0.0)
    baseline = {"metric": metric, "label": "chance", "value": levels[0], "target": levels[1]}
    place.write_json("plan.json", {"baseline": baseline})
    lines = [
        {"step": 10 * number, f"val_{metric}": value, "seconds": 1.0}
        for number, value in enumerate(values, 1)
    ]
    (place.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if test is not None:
        write_summary(place, test, metric, steps=20, baseline=baseline)
    return place
