"""Runs that are interrupted, and the same runs without interruption."""

from tests.cli.commands import rum_process
from tests.runs import read_records
from tests.sweeps.files import SMALL

THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
LONG = {**SMALL["set"], "train.steps": 1500, "train.eval_every": 50, "train.checkpoint_every": 25}


def has_checkpoint(folder):
    return any((folder / "checkpoints").glob("step-*.npz"))


def train_uninterrupted(folder, tmp_path):
    """Repeat a run of a set without interruption; return its records."""
    place = tmp_path / f"unbroken-{folder.name}"
    result = rum_process(
        "train",
        f"--preset={folder / 'config.yaml'}",
        f"--out={place}",
        "--quiet",
        cwd=tmp_path,
        env=dict.fromkeys(THREADS, "1"),
        fresh=True,
    )
    assert result.returncode == 0, result.stderr
    return read_records(place)
