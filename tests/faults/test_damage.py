"""Files of a run that are not what was written."""

import shutil

import pytest

from tests.cli.commands import assert_one_line, rum
from tests.faults.runs import assert_goes_on, newest, records


@pytest.fixture
def run(half, tmp_path):
    """A copy of a run of 20 steps; its folder."""
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
    """Give it the arrays of another step under this one's digest."""
    other = min(path.parent.glob("step-*.npz"))
    content = bytearray(other.read_bytes())
    content[content.index(b'"step": ') + 8] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty, exchange])
def test_a_damaged_checkpoint_is_told_and_passed_over(run, unbroken, damage):
    damage(newest(run))
    result = assert_goes_on(run, unbroken, "--steps=40")
    assert "checkpoint run/checkpoints/step-00000020.npz is damaged" in result.stderr
    assert "going back to the one before it" in result.stderr


def test_a_checkpoint_that_is_gone_is_replaced_by_the_one_before_it(run, unbroken):
    newest(run).unlink()
    assert_goes_on(run, unbroken, "--steps=40")


def test_without_a_whole_checkpoint_the_run_says_so_and_touches_nothing(run):
    for path in run.glob("checkpoints/step-*.npz"):
        truncate(path)
    before = {path: path.read_bytes() for path in run.glob("checkpoints/*")}
    result = rum("train", "--resume=run", "--steps=40", "--quiet", cwd=run.parent)
    assert result.returncode == 1
    complaint = result.stderr.splitlines()[-1]
    assert complaint.startswith("rum: error: every checkpoint in run/checkpoints is damaged")
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
def test_a_lost_and_a_torn_line_of_the_record_are_repaired(run, unbroken, torn):
    metrics = run / "metrics.jsonl"
    first, *others = metrics.read_text().splitlines(keepends=True)
    metrics.write_text("".join(others) + torn)
    result = assert_goes_on(run, unbroken, "--steps=40")
    assert "run/metrics.jsonl lacked the records of step 10; they are restored" in result.stderr
    assert metrics.read_text().startswith(first)
    assert [record["step"] for record in records(run)] == [10, 20, 30, 40]


def test_a_run_without_its_checkpoints_begins_again_only_if_the_user_says_so(run, unbroken):
    # given
    shutil.rmtree(run / "checkpoints")
    before = (run / "metrics.jsonl").read_bytes()

    # when
    result = rum("train", "--resume=run", "--steps=40", cwd=run.parent)

    # then
    assert_one_line(result, 1, "run/checkpoints/step-*.npz are missing")
    assert "rum train --resume run --from-scratch" in result.stderr
    assert (run / "metrics.jsonl").read_bytes() == before
    assert_goes_on(run, unbroken, "--steps=40", "--from-scratch")


def test_a_damaged_best_checkpoint_does_not_keep_a_run_from_ending(run):
    flip_a_bit(run / "checkpoints/best.npz")
    result = rum("eval", "run", cwd=run.parent)
    assert_one_line(result, 1, "best.npz is damaged")
    assert "try --checkpoint last" in result.stderr
    assert rum("eval", "run", "--checkpoint=last", "--json", cwd=run.parent).returncode == 0
