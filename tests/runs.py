"""Files of run directories: records, checkpoints and summaries."""

import json


def read_records(folder):
    """Return the records of a run without times."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def newest_checkpoint(folder):
    """Return the path of the newest numbered checkpoint."""
    return max(folder.glob("checkpoints/step-*.npz"))


def step_of(checkpoint):
    """Return the step in the name of a checkpoint."""
    return int(checkpoint.stem.removeprefix("step-"))


def last_saved_step(folder):
    """Return the step of the newest numbered checkpoint, 0 without one."""
    return max(map(step_of, folder.glob("checkpoints/step-*.npz")), default=0)


def write_summary(place, value, metric="loss", **changes):
    """Write the summary of a finished run.

    Args:
        place: `RunDir` of the run.
        value: Test value of the metric.
        metric: Name of the metric.
        changes: Other values, by key of the summary.
    """
    summary = summary_of(place.config, place, value, metric, **changes)
    place.write_json("summary.json", summary)


def summary_of(run, place, value, metric="loss", **changes):
    """Return the summary of a finished run; arguments as in `write_summary`."""
    summary = {
        "task": run.task.name,
        "cell": run.cell.name,
        "split": "test",
        "metric": metric,
        "loss": 1.0,
        metric: value,
        "steps": run.train.steps,
        "until_met": None,
        "seconds": 2.0,
        "parameters": 7,
        "weights_of_step": 10,
        "beats_baseline": True,
        "baseline": {
            "metric": metric,
            "label": "chance",
            "value": 1.0,
            "target": 0.0,
        },
        "gap_to_baseline": value - 1.0,
        "normalized_score": 1.0 - value,
        "skipped_steps": 0,
        "folder": str(place.path),
    }
    return {**summary, **changes}
