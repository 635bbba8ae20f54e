"""Runs that take a second: small tasks, small cells, few steps, small texts."""

import numpy as np

from rumcli import config
from rumcli.tasks import registry
from rumcli.training import dataset_binding

SETTINGS = ["train.eval_every=10", "train.checkpoint_every=5"]
OF_EXAMPLES = ["task.validation_examples=20", "task.test_examples=20"]
OF_QUESTIONS = [*OF_EXAMPLES, "task.train_examples=40", "task.embedding=5"]
OF_CHARACTERS = ["task.bptt_steps=6", "task.eval_batch_size=3", "task.embedding=5"]
SIZES = {"train": 700, "valid": 131, "test": 157}


def run_config(task="copying", cell="gru", steps=20, settings=(), **flags):
    """Make a small configuration, of the cell that is built fastest.

    `flags` are `section__key=value`.
    """
    paths = {tuple(name.split("__")): value for name, value in flags.items()}
    chosen = {
        ("task", "name"): task,
        ("task", "delay"): 4 if task in ("copying", "recall") else None,
        ("cell", "name"): cell,
        ("cell", "units"): 8,
        ("train", "steps"): steps,
        ("train", "batch_size"): 8,
        **paths,
    }
    own = {"ptb": OF_CHARACTERS, "babi": OF_QUESTIONS}.get(task, OF_EXAMPLES)
    # To compile the fused loop takes longer than such a run.
    options = config.schema.model_of("cell", cell).model_fields
    plain = ["cell.implementation=plain"] if "implementation" in options else []
    return config.build(None, [*SETTINGS, *own, *plain, *settings], chosen)


def write_text(folder, seed=0, symbols="abcd \n"):
    """Write the three files of a text whose symbols follow each other with some regularity."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, size) in enumerate(SIZES.items()):
        generator = np.random.default_rng([seed, number])
        steps = generator.choice(2, size=size, p=[0.2, 0.8])
        text = "".join(symbols[place] for place in np.cumsum(steps) % len(symbols))
        (folder / f"{name}.txt").write_bytes(text.encode())
    return folder


def task(run):
    """Make the task of a configuration, with its text if it has one."""
    return registry.make(run, dataset_binding.for_training(run, None))
