import contextlib
import errno
import os

import pytest

from rumcli.errors import ConfigError, RunError
from rumcli.training.run_dir import RunDir
from tests import small


def test_directories_are_numbered_and_never_reused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = [RunDir.create(None, small.run_config()).path.as_posix() for _ in range(3)]
    assert made == ["runs/copying-gru-1", "runs/copying-gru-2", "runs/copying-gru-3"]


def test_empty_directory_is_accepted(tmp_path):
    assert RunDir.create(tmp_path, small.run_config()).config == small.run_config()


@pytest.mark.parametrize("name", ["config.yaml", "anything"])
def test_nonempty_directory_is_unchanged(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match="it exists and is not empty"):
        RunDir.create(tmp_path, small.run_config())
    assert (tmp_path / name).read_text() == "mine"


def test_only_an_empty_run_directory_is_removed(tmp_path, monkeypatch):
    # when
    for name in ("begun", "new"):
        place = RunDir.claim(tmp_path / name, small.run_config())
        with contextlib.suppress(ConfigError), place as run_dir:
            if name == "begun":
                run_dir.write_json("environment.json", {})
            raise ConfigError("found late")
    monkeypatch.setattr(RunDir, "write_config", lambda *_: os.write(-1, b""))
    with pytest.raises(ConfigError, match="can't write to"):
        RunDir.create(tmp_path / "full", small.run_config())

    # then
    assert [path.name for path in tmp_path.iterdir()] == ["begun"]
    assert RunDir.open(tmp_path / "begun").config == small.run_config()


LEFTOVERS = [[".config.yaml.17.part"], ["lock", ".lock.17.part", ".config.yaml.17.part"], ["lock"]]


@pytest.mark.parametrize("left", LEFTOVERS, ids=len)
def test_run_killed_during_creation_can_be_started_in_the_same_directory(tmp_path, left):
    # given
    run = tmp_path / "run"
    run.mkdir()
    for name in left:
        (run / name).write_text("half")
    with pytest.raises(ConfigError, match=r"to start the run there: rum train TASK --out .*run$"):
        RunDir.open(run)

    # when
    RunDir.create(run, small.run_config())

    # then
    assert [path.name for path in run.iterdir()] == ["config.yaml"]
    assert RunDir.open(run).config == small.run_config()


def test_directory_with_more_than_leftovers_is_unchanged(tmp_path):
    for name in (".config.yaml.17.part", "lock", "thesis.tex"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(ConfigError, match="it exists and is not empty"):
        RunDir.create(tmp_path, small.run_config())
    assert (tmp_path / ".config.yaml.17.part").read_text() == "mine"


REMEDIES = {
    errno.ENOSPC: "free some space, then run: rum train --resume ",
    errno.EDQUOT: "free some of your disk quota, then run: ",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), then run: ",
    errno.EACCES: "get permission to write there, then run: ",
    errno.EPERM: "get permission to write there, then run: ",
    errno.EROFS: "make that file system writable, then run: ",
    errno.EIO: "check the disk, then run: ",
    errno.ENXIO: "to continue: rum train --resume ",
}


@pytest.mark.parametrize("number", REMEDIES, ids=errno.errorcode.get)
def test_disk_error_has_the_advice_for_its_cause(tmp_path, number):
    run_dir = RunDir.create(tmp_path / "run", small.run_config())
    with pytest.raises(RunError) as caught, run_dir.writing():
        raise OSError(number, os.strerror(number))
    message = str(caught.value)
    assert message.startswith(f"can't write to {run_dir.path}: {os.strerror(number)}; ")
    assert REMEDIES[number] in message
    assert ("space" in message.rpartition(";")[2]) == (number == errno.ENOSPC)


def test_deleted_run_directory_is_not_reported_as_intact(tmp_path):
    run_dir = RunDir.create(tmp_path / "run", small.run_config())
    run_dir.path.rename(tmp_path / "elsewhere")
    expected = r"moved or deleted .*--resume NEW_PATH"
    with pytest.raises(RunError, match=expected), run_dir.writing():
        run_dir.write_json("plan.json", {})


def test_file_in_place_of_a_directory_is_reported(tmp_path):
    (tmp_path / "a").write_text("mine")
    with pytest.raises(ConfigError, match="a file with this name exists"):
        RunDir.create(tmp_path / "a", small.run_config())
    with pytest.raises(ConfigError, match="can't write to"):
        RunDir.create(tmp_path / "a" / "b", small.run_config())


def test_directory_without_a_run_is_reported(tmp_path):
    with pytest.raises(ConfigError, match="there is no run directory"):
        RunDir.open(tmp_path / "absent")
    with pytest.raises(ConfigError, match="is empty; expected the directory of a run"):
        RunDir.open(tmp_path)
    (tmp_path / "a").write_text("")
    with pytest.raises(ConfigError, match=r"has no config\.yaml"):
        RunDir.open(tmp_path)
    with pytest.raises(ConfigError, match="is not a directory"):
        RunDir.open(tmp_path / "a")


def test_run_of_another_task_is_rejected(tmp_path):
    RunDir.create(tmp_path, small.run_config("recall"))
    with pytest.raises(ConfigError, match="is a run of 'recall'; expected a run of 'copying'"):
        RunDir.open(tmp_path, "copying")


def test_records_after_a_step_and_a_truncated_line_are_dropped(tmp_path):
    run_dir = RunDir.create(tmp_path, small.run_config())
    for step in (10, 20, 30):
        run_dir.append_record({"step": step, "loss": step / 7})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "lo')
    assert run_dir.rewind_records(20) == []
    assert run_dir.records() == [{"step": 10, "loss": 10 / 7}, {"step": 20, "loss": 20 / 7}]


@pytest.mark.parametrize(
    "line",
    [
        *("1", "[]", "null", "{}", '{"step": "10"}', '{"step": 1e999}', '{"step": -1}'),
        *('{"step": true}', '{"step": 9, "loss": "low"}', '{"step": 9, "loss": Infinity}'),
        *("\udcff", 10**5 * "["),
    ],
    ids=lambda line: ascii(line[:30]),
)
def test_invalid_record_is_skipped(tmp_path, line):
    run_dir = RunDir.create(tmp_path, small.run_config())
    content = f'{line}\n{{"step": 10, "val_loss": null}}\n'
    (tmp_path / "metrics.jsonl").write_bytes(content.encode(errors="surrogateescape"))
    run_dir.rewind_records(10)
    assert run_dir.records() == [{"step": 10, "val_loss": None}]


def test_pipe_in_place_of_the_metrics_is_rejected_without_waiting(tmp_path):
    run_dir = RunDir.create(tmp_path, small.run_config())
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(RunError, match=r"can't read .*metrics\.jsonl: Not a regular file"):
        run_dir.records()


@pytest.mark.parametrize("content", ["[]", "{}", '{"steps": 20}', '{"baseline": []}', "nonsense"])
def test_invalid_summary_is_none(tmp_path, content):
    run_dir = RunDir.create(tmp_path, small.run_config())
    (tmp_path / "summary.json").write_text(content)
    assert run_dir.summary() is None


LEVELS = {"metric": "loss", "label": "memoryless", "value": 0.75, "target": 0.0, "published": None}


@pytest.mark.parametrize(
    "changed", [{"metric": None}, {"metric": 3}, {"value": "0.75"}, {"label": ["a"]}]
)
def test_invalid_baseline_is_replaced_by_that_of_the_plan(tmp_path, changed):
    run_dir = RunDir(tmp_path)
    run_dir.write_json("summary.json", {"baseline": LEVELS | changed})
    assert run_dir.baseline is None
    missing = {name: value for name, value in LEVELS.items() if name != "metric"}
    run_dir.write_json("summary.json", {"baseline": missing})
    assert run_dir.baseline is None
    run_dir.write_json("plan.json", {"baseline": LEVELS})
    assert run_dir.baseline == LEVELS


def test_run_resumes_with_an_empty_environment_list(tmp_path):
    run_dir = RunDir.create(tmp_path, small.run_config())
    run_dir.write_json("environment.json", {"seed": 1, "resumed": 5})
    run_dir.begin({"seed": 2}, finished=False)
    assert run_dir.read_json("environment.json") == {"seed": 1, "resumed": [{"seed": 2}]}
