"""`rum reproduce`: checks, lists and output, and small tables that are really run."""

import json
import os
import signal

import pytest

from rumcli.cli.app import main
from rumcli.jobs.job_spec import STOPPED, RunResult
from rumcli.reproduction import table_spec as tables
from rumcli.reproduction.table_results import TableFolder, TableOptions
from rumcli.training import dataset_binding
from tests import babi
from tests.cli.commands import assert_one_line, interrupt_when, rum, start
from tests.documents import validated
from tests.reproduction.files import PLAIN, finish_run, runs, table, write_table

ENDLESS = {"set": {"cell.name": "gru", "train.steps": 10**8}}
ONE = {"T = 4": {"task.delay": 4}}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_dry_run_lists_the_runs_with_their_commands(here, capsys):
    write_table(here)
    assert main(["reproduce", "small.yaml", "--dry-run", "--seeds=1"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("rum train copying --set=task.validation_examples=20 ")
    assert lines[0].endswith(" --out reproductions/small/gru-t-4-seed-1")
    assert err == "4 runs of table small, in this order\n"
    assert main(["reproduce", "recall_lengths", "--dry-run", "--json", "--only=LSTM"]) == 0
    found = validated(capsys.readouterr().out, "reproduce-dry-run")
    assert [(one["condition"], one["seed"]) for one in found["runs"][:4]] == [
        ("T = 30", 1),
        ("T = 80", 1),
        ("T = 30", 2),
        ("T = 80", 2),
    ]
    assert [path.name for path in here.iterdir()] == ["small.yaml"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "which table? Expected a TABLE, or --resume with the directory of a"),
        (["--resume=nowhere"], "there is no directory nowhere; expected the directory of a"),
        (["small.yaml", "--resume=a", "--out=b"], "--resume and --out are mutually exclusive"),
        (["small.yaml", "--address=here"], "--address here"),
        (["recal"], "unknown table 'recal'; did you mean 'recall'"),
        (["nowhere.yaml"], "can't read nowhere.yaml: No such file"),
        (["small.yaml", "--budget=30"], "--budget 30: expected a time such as 30m, 2h"),
        (["small.yaml", "--seeds=0"], "--seeds 0: expected at least 1"),
        (["small.yaml", "--seeds=999999999"], "--seeds 999999999: 3,999,999,996 runs are more"),
        (["small.yaml", "--jobs=0"], "--jobs 0: expected at least 1"),
        (
            ["small.yaml", "--condition=T=5"],
            "--condition T=5: unknown condition 't-5'",
        ),
        (
            ["small.yaml", "--only=GRUU"],
            "did you mean 'gru'? rows: gru, lstm",
        ),
        (["small.yaml", "--data=here"], "--data here: the task of this table, 'copying', reads no"),
        (["small.yaml", "--out=."], "is not a directory of 'rum reproduce'"),
        (["ptb"], "--data is missing; expected a directory with train, valid"),
        (["own.yaml"], "the configuration names code, mine:Cell"),
        (["wrong.yaml"], "column 5: unknown key 'sett'; did you mean 'set'"),
    ],
)
def test_usage_errors_are_reported_in_one_line(here, capsys, arguments, expected):
    # given
    write_table(here)
    write_table(here, "wrong.yaml", rows={"A": {"sett": {}}})
    write_table(
        here, "own.yaml", rows={"A": {"set": {"cell.name": "custom", "cell.factory": "mine:Cell"}}}
    )
    before = sorted(here.iterdir())

    # when
    code = main(["reproduce", *arguments])

    # then
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert expected in err
    assert sorted(here.iterdir()) == before


def test_a_usage_error_does_not_wait_for_tensorflow(tmp_path):
    assert_one_line(rum("reproduce", "recal", cwd=tmp_path), 2, "unknown table 'recal'")


def test_finished_table_is_shown(here, capsys):
    # given
    read, folder = table(here)
    for number, run in enumerate(runs(read).values()):
        finish_run(folder, run, number / 10)
    command = ["reproduce", "small.yaml", "--out=out"]

    # when
    assert main([*command, "--quiet", "--json"]) == 0
    found = validated(capsys.readouterr().out, "reproduce")
    assert main(command) == 0
    shown = capsys.readouterr()

    # then
    assert found["runs"]["finished"] == 8
    first = found["entries"][0]
    assert (first["row"], first["condition"], first["published"]) == ("GRU", "T = 4", "0.25")
    assert first["ours"]["mean"] == pytest.approx(0.2)
    assert "0.200 ± 0.283" in shown.out
    assert shown.err == "wrote out/results.md\n"
    written = json.loads((folder.path / "results.json").read_text())
    assert written["entries"] == found["entries"]
    assert "| GRU | T = 4 | 0.200 ± 0.283 | 0.25 | 2 | 20 | 2 s |" in (
        folder.path / "results.md"
    ).read_text("utf-8")


def test_different_data_are_reported_before_any_change(here, capsys):
    # given: a run that was stopped
    path = write_table(
        here,
        task="babi",
        metric="accuracy",
        set={"task.subtask": 1, "train.steps": 20},
        rows=PLAIN,
        conditions=None,
        seeds=1,
    )
    here_is = str(babi.write_subtasks(here / "one"))
    read = tables.read_table(str(path), here_is)
    folder = TableFolder.prepare(here / "out", read)
    folder.describe(read, TableOptions())
    run = runs(read)["gru-seed-1"]
    place = folder.begin(run)
    dataset_binding.write_metadata(dataset_binding.for_training(run.config, None), place)
    folder.mark(run, RunResult(STOPPED, "", {"accuracy": 0.5}, 12, 3.5))
    before = {file: file.read_bytes() for file in folder.path.rglob("*") if file.is_file()}
    babi.write_subtasks(here / "two", train=41)

    # when
    for data in (["--data=two"], []):  # [] generates them
        code = main(["reproduce", "small.yaml", "--out=out", *data])

        # then
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert "gru-seed-1: " in err
        assert "splits differ from those of the run; expected the data with which " in err
        assert before == {f: f.read_bytes() for f in folder.path.rglob("*") if f.is_file()}


def test_resume_command_keeps_the_trusted_code(here, capsys):
    # given
    rows = {"A": {"set": {"cell.name": "custom", "cell.factory": "mine:Cell"}}}
    write_table(here, "own.yaml", rows=rows)
    (here / "mine.py").write_text("class Cell: pass\n")

    # when: too little time for anything to begin
    code = main(["reproduce", "own.yaml", "--trust-code", "--budget=1s", "--jobs=3", "--seeds=2"])

    # then
    assert code == 0
    again = "to resume: rum reproduce --resume reproductions/own --jobs 3 --budget 1s --trust-code"
    assert again in capsys.readouterr().err
    # and the folder has the others
    assert main(["reproduce", "--resume=reproductions/own", "--dry-run", "--json"]) == 0
    found = validated(capsys.readouterr().out, "reproduce-dry-run")
    assert (found["table"], len(found["runs"])) == ("own", 4)


@pytest.mark.e2e
def test_table_continues_after_a_failed_run(tmp_path):
    # given
    rows = {
        "GRU": {"set": {"cell.name": "gru"}, "published": 0.5},
        "easy": {"set": {"cell.name": "gru", "train.until": "loss<1000"}},
        "broken": {"set": {"cell.name": "gru", "optimizer.learning_rate": 1e38}},
        "large": {"skip_reason": "too large"},
    }
    write_table(tmp_path, conditions=ONE, rows=rows, seeds=1)

    # when
    result = rum("reproduce", "small.yaml", "--json", "--jobs=2", cwd=tmp_path)

    # then
    assert result.returncode == 1
    assert "rum: error: 1 run failed; broken-t-4-seed-1: " in result.stderr
    assert "large-t-4-seed-1" not in result.stderr
    found = validated(result.stdout, "reproduce")
    gru, easy, broken, large = (one["runs"][0] for one in found["entries"])
    assert (gru["state"], gru["step"], gru["until_met"]) == ("finished", 20, False)
    assert (easy["state"], easy["step"], easy["until_met"]) == ("finished", 10, True)
    assert (broken["state"], broken["value"]) == ("failed", None)
    assert "not finite" in broken["message"]
    assert large["state"] == "not started"
    place = tmp_path / "reproductions" / "small"
    page = (place / "results.md").read_text("utf-8")
    assert "| GRU | T = 4 | " in page
    assert "- a run stops at the first validation with loss<1000" in page
    assert "- not run: large: too large" in page
    assert "- failed: broken-t-4-seed-1: " in page
    summary = json.loads((place / "gru-t-4-seed-1" / "summary.json").read_text())
    assert summary["loss"] == gru["value"]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_all_runs_and_prints_the_resume_command(tmp_path, number):
    # given
    write_table(tmp_path, conditions=ONE, rows={"endless": ENDLESS}, seeds=2)
    place = tmp_path / "reproductions" / "small"
    process = start("reproduce", "small.yaml", cwd=tmp_path, fresh=True)

    # when: a terminal sends SIGINT to all processes that belong to the command
    def group(signal_number):
        send = os.killpg if signal_number == signal.SIGINT else os.kill
        send(process.pid, signal_number)

    process.send_signal = group
    begun = [place / f"endless-t-4-seed-{seed}" / "checkpoints" for seed in (1, 2)]
    code, out, err = interrupt_when(
        process, lambda: all(list(one.glob("step-*")) for one in begun), number, seconds=300
    )

    # then
    assert code == 128 + number, err
    again = "to resume: rum reproduce --resume reproductions/small"
    assert f"stopped; 0 of 2 runs done; {again}" in err
    assert "Traceback" not in err
    assert "no test yet" in out
    assert not list(place.glob("*/result.json"))
    assert not list(place.glob("*/lock"))
    assert all(list(one.glob("step-*")) for one in begun)
