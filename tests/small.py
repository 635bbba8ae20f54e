"""Runs that take a second: small tasks, small cells, few steps."""

from rumcli import config

SETTINGS = [
    "train.eval_every=10",
    "train.checkpoint_every=5",
    "task.validation_examples=20",
    "task.test_examples=20",
]


def run_config(task="copying", cell="rum", steps=20, settings=(), **flags):
    """Make a small configuration; `flags` are `section__key=value`."""
    paths = {tuple(name.split("__")): value for name, value in flags.items()}
    chosen = {
        ("task", "name"): task,
        ("task", "delay"): 4,
        ("cell", "name"): cell,
        ("cell", "units"): 8,
        ("train", "steps"): steps,
        ("train", "batch_size"): 8,
        **paths,
    }
    # To compile the fused loop takes longer than such a run.
    plain = ["cell.implementation=plain"] if cell in ("rum", "arum") else []
    return config.build(None, [*SETTINGS, *plain, *settings], chosen)
