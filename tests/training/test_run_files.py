"""Records of a run: repair from a checkpoint, backups and unreadable files."""

import json

import pytest

from rumcli.errors import RunError
from rumcli.training import run_files
from rumcli.training.run_files import RecordFile

STEPS = [10, 20, 30, 33]


def record(step):
    return {"step": step, "loss": step / 7, "val_loss": None, "seconds": 0.125 * step}


def line(step):
    return json.dumps(record(step)) + "\n"


ALL = "".join(map(line, STEPS))


@pytest.fixture
def file(tmp_path):
    """A file of four records."""
    made = RecordFile(tmp_path / "metrics.jsonl", run_files.is_record)
    for step in STEPS:
        made.append(record(step))
    return made


def anew(file):
    """Return the file as opened by another process."""
    return RecordFile(file.path, run_files.is_record)


DAMAGES = {
    "missing": (None, STEPS),
    "empty": ("", STEPS),
    "zeroed": ("\0" * len(ALL), STEPS),
    "zeroed from a page on": (line(10) + "\0" * 200, [20, 30, 33]),
    "shorter": (line(10) + line(20), [30, 33]),
    "cut off": (ALL[:-10], [33]),
    "without its first line": ("".join(map(line, STEPS[1:])), [10]),
    "without a line": (line(10) + line(30) + line(33), [20]),
    "with another number": (ALL.replace("2.5", "2.75"), [20]),
    "not UTF-8": (line(10) + "\udcff\n" + line(33), [20, 30]),
    "brackets": ("[" * 100_000 + "\n" + ALL, []),
    "whole": (ALL, []),
    "whole, and beyond the checkpoint": (ALL + line(40) + '{"st', []),
}


@pytest.mark.parametrize(("content", "missing"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_record_is_restored_from_the_checkpoint_with_a_warning(file, content, missing):
    # given
    backup = json.loads(json.dumps(file.backup()))
    file.path.unlink()
    if content is not None:
        file.path.write_bytes(content.encode(errors="surrogateescape"))

    # when
    warnings = anew(file).rewind(33, backup)

    # then
    assert file.path.read_text() == ALL
    assert len(warnings) == bool(missing)
    for warning in warnings:
        assert run_files._named(missing) in warning
        assert "restored from the checkpoint of step 33" in warning


def test_records_missing_in_the_checkpoint_are_reported_with_their_steps(file, monkeypatch):
    monkeypatch.setattr(run_files, "_BACKUP_BYTES", len(line(30) + line(33)))
    backup = file.backup()
    assert len(backup["newest"]) == 2
    file.path.write_text(line(20))
    warnings = anew(file).rewind(33, backup)
    assert file.path.read_text() == line(20) + line(30) + line(33)
    assert ["restored" in warning for warning in warnings] == [True, False]
    assert "lacked the records of steps 30 and 33" in warnings[0]
    assert "lacks the records of step 10, which are lost" in warnings[1]


def test_records_that_follow_a_repair_are_backed_up_too(file):
    backup = file.backup()
    file.path.write_text("")
    later = anew(file)
    later.rewind(33, backup)
    later.append(record(40))
    assert later.backup()["steps"] == [*STEPS, 40]
    assert file.path.read_text() == ALL + line(40)


def test_checkpoint_without_a_backup_keeps_the_record(file):
    file.path.write_text(line(10) + line(30))
    assert anew(file).rewind(20, None) == []
    assert file.path.read_text() == line(10)


def test_many_steps_are_abbreviated():
    assert run_files._named([10]) == "step 10"
    assert run_files._named([10, 20, 30]) == "steps 10, 20 and 30"
    assert run_files._named(range(10, 200, 10)) == "steps 10, 20, … 190 (19 in all)"


def test_a_record_that_cannot_be_read_is_reported_with_the_cause(tmp_path):
    with pytest.raises(RunError) as caught:
        RecordFile(tmp_path, run_files.is_record).read()  # a directory
    assert str(caught.value) == f"can't read {tmp_path}: Not a regular file"


def test_the_newest_records_are_backed_up_as_far_as_they_fit(file, monkeypatch):
    sizes = [len(json.dumps(record(step))) for step in STEPS]
    for room, count in ((sum(sizes), 4), (sum(sizes) - 1, 3), (sizes[-1], 1), (sizes[-1] - 1, 0)):
        monkeypatch.setattr(run_files, "_BACKUP_BYTES", room)
        assert file.backup() == {
            "steps": STEPS,
            "newest": [line(step).rstrip() for step in STEPS[4 - count :]],
        }
