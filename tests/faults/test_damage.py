"""Damaged files of a run."""

import shutil

import pytest

from tests.cli.commands import assert_one_line, rum
from tests.faults.runs import assert_resumes
from tests.runs import newest_checkpoint, read_records

pytestmark = pytest.mark.e2e


@pytest.fixture
def run(half, tmp_path):
    """Directory of a copy of a run of 20 steps."""
    return shutil.copytree(half, tmp_path / "run")


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def exchange(path):
    """Replace the arrays by those of another step, with an unchanged digest."""
    other = min(path.parent.glob("step-*.npz"))
    content = bytearray(other.read_bytes())
    content[content.index(b'"step": ') + 8] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty, exchange])
def test_damaged_checkpoint_is_reported_and_skipped(run, unbroken, damage):
    damage(newest_checkpoint(run))
    result = assert_resumes(run, unbroken, "--steps=40")
    assert "checkpoint run/checkpoints/step-00000020.npz is damaged" in result.stderr
    assert "resuming from the previous one" in result.stderr


def test_missing_checkpoint_is_replaced_by_the_previous_one(run, unbroken):
    newest_checkpoint(run).unlink()
    assert_resumes(run, unbroken, "--steps=40")


def test_run_without_a_valid_checkpoint_is_rejected_and_unchanged(run):
    for path in run.glob("checkpoints/step-*.npz"):
        truncate(path)
    before = {path: path.read_bytes() for path in run.glob("checkpoints/*")}
    result = rum("train", "--resume=run", "--steps=40", "--quiet", cwd=run.parent)
    assert result.returncode == 1
    complaint = result.stderr.splitlines()[-1]
    assert complaint.startswith("rum: error: all checkpoints in run/checkpoints are damaged")
    assert "rum train --preset run/config.yaml" in complaint
    assert {path: path.read_bytes() for path in run.glob("checkpoints/*")} == before


@pytest.mark.parametrize(
    "torn",
    [
        '{"step": 2',
        pytest.param("\x00\x00\x00", marks=pytest.mark.slow),
        pytest.param('{"step": 25, "loss": 1.5}\n{"st', marks=pytest.mark.slow),
    ],
)
def test_lost_and_truncated_lines_of_the_record_are_repaired(run, unbroken, torn):
    metrics = run / "metrics.jsonl"
    first, *others = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join(others) + torn)
    result = assert_resumes(run, unbroken, "--steps=40")
    assert "run/metrics.jsonl lacked the records of step 10, which were restored" in result.stderr
    assert metrics.read_text().startswith(first)
    assert [record["step"] for record in read_records(run)] == [10, 20, 30, 40]


def test_run_without_checkpoints_restarts_only_from_scratch(run, unbroken):
    # given
    shutil.rmtree(run / "checkpoints")
    before = (run / "metrics.jsonl").read_bytes()

    # when
    result = rum("train", "--resume=run", "--steps=40", cwd=run.parent)

    # then
    assert_one_line(result, 1, "run/checkpoints/step-*.npz are missing")
    assert "rum train --resume run --from-scratch" in result.stderr
    assert (run / "metrics.jsonl").read_bytes() == before
    assert_resumes(run, unbroken, "--steps=40", "--from-scratch")


def test_run_finishes_despite_a_damaged_best_checkpoint(run):
    flip_a_bit(run / "checkpoints/best.npz")
    result = rum("eval", "run", cwd=run.parent)
    assert_one_line(result, 1, "best.npz is damaged")
    assert "try --checkpoint last" in result.stderr
    assert rum("eval", "run", "--checkpoint=last", "--json", cwd=run.parent).returncode == 0
