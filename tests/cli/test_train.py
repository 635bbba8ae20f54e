"""`rum train` for a user: output, files, stops and resumes."""

import json
import os
import shutil
import signal
import time

import numpy as np
import pytest
import yaml

from rumcli.training import lock
from tests.cli.commands import (
    SMALL,
    SMALL_RUM,
    assert_one_line,
    has_control_characters,
    interrupt_when,
    rum,
    rum_process,
    start,
)
from tests.cli.terminal import in_a_terminal
from tests.documents import validated
from tests.marks import needs_posix
from tests.runs import last_saved_step, read_records

RANDOM = ["--set=model.dropout=0.2", "--set=cell.zoneout=0.2"]


def test_run_ends_with_a_table_beside_its_baseline(finished_run):
    # The fixture has run it; a finished run that is resumed shows its table again.
    result = rum("train", "--resume", finished_run, cwd=finished_run.parent)
    assert result.returncode == 0
    assert "is finished at step 20; --steps makes it longer" in result.stderr
    for text in ("copying with rum, test split", "memoryless loss", " memoryless ", "gap to"):
        assert text in result.stdout
    # A key that is no metric cannot be required.
    wrong = rum("train", "--resume", finished_run, "--require=task>=1", cwd=finished_run.parent)
    assert_one_line(wrong, 2, "--require task>=1: unknown metric 'task'")


def test_pipe_receives_plain_lines_with_a_literal_directory_name(tmp_path):
    name = "a[/x][red]:smile:"
    result = rum("train", "recall", "--steps=20", f"--out={name}", *SMALL, cwd=tmp_path)
    assert result.returncode == 0
    assert name in result.stdout
    assert not has_control_characters(result.stdout + result.stderr)
    lines = result.stderr.splitlines()
    assert lines[0].startswith("recall with gru, ")
    assert lines[0].endswith(f"chance accuracy 10.0%; run directory {name}")
    assert [line.split(":")[0] for line in lines[1:]] == [
        "step 1/20",
        "step 10/20",
        "step 20/20",
        "evaluating the test split",
    ]
    assert "chance" in lines[2]


@pytest.mark.e2e
@needs_posix
@pytest.mark.parametrize(
    ("variables", "live"),
    [
        pytest.param({"TERM": "xterm"}, True, id="a terminal"),
        pytest.param({"TERM": "xterm", "CI": "1"}, False, id="in CI"),
        pytest.param({"TERM": "dumb"}, False, id="a dumb terminal", marks=pytest.mark.slow),
    ],
)
def test_live_bar_is_shown_in_a_terminal_only(tmp_path, variables, live):
    text = in_a_terminal(tmp_path, variables, "train", "copying", "--steps=20", *SMALL)
    assert ("\x1b[" in text) is live
    assert ("━" in text) is live
    assert "step 20/20: validation loss" in text


@pytest.mark.slow
def test_forced_colors_show_no_bar_in_a_pipe(tmp_path):
    arguments = ["train", "copying", "--steps=10", *SMALL]
    result = rum(*arguments, cwd=tmp_path, env={"FORCE_COLOR": "1"})
    assert not has_control_characters(result.stderr)


def test_json_is_one_document_on_stdout(tmp_path):
    result = rum("train", "copying", "--steps=10", "--json", *SMALL, cwd=tmp_path)
    summary = validated(result.stdout, "train")
    assert summary["steps"] == 10
    assert result.stderr.splitlines()[-1] == "evaluating the test split"
    assert summary["baseline"]["label"] == "memoryless"
    assert summary["gap_to_baseline"] == pytest.approx(
        summary["loss"] - summary["baseline"]["value"]
    )
    assert json.loads((tmp_path / "runs/copying-gru-1/summary.json").read_text()) == summary


def test_dry_run_shows_all_settings_and_writes_nothing(tmp_path):
    result = rum("train", "copying", "--dry-run", "--steps=10", *SMALL, "--json", cwd=tmp_path)
    found = validated(result.stdout, "train-dry-run")
    assert found["config"]["cell"]["name"] == "gru"
    size = found["estimate"]
    assert (size["steps"], size["batch_size"], size["test"]) == (10, 8, 20)
    # Kernels of 10 inputs, recurrent kernels, biases and the output layer.
    assert size["parameters"] == 3 * 8 * (10 + 8 + 2) + 9 * (8 + 1)
    assert size["memory"] > 4 * size["parameters"]
    text = rum("train", "copying", "--dry-run", "--steps=10", *SMALL, cwd=tmp_path).stdout
    assert yaml.safe_load(text)["train"]["steps"] == 10
    assert f"# {size['parameters']:,} trainable weights\n" in text
    missing = rum("train", "ptb", "--data=nothing", "--dry-run", cwd=tmp_path)
    assert missing.returncode == 0
    assert missing.stdout.splitlines()[-1].startswith("# no estimate: there is no ")
    assert list(tmp_path.iterdir()) == []


def test_resume_without_a_path_takes_the_newest_unfinished_run(tmp_path, finished_run):
    for name, age in (("old", 30), ("new", 20), ("done", 10), ("live", 5)):
        run = shutil.copytree(finished_run, tmp_path / "runs" / name)
        if name != "done":
            (run / "summary.json").unlink()
        for path in run.iterdir():
            os.utime(path, (time.time() - age,) * 2)
    with lock.held(tmp_path / "runs" / "live"):
        result = rum("train", "--resume", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("resuming runs/new, the newest unfinished run in 'runs'\n")
    assert validated(result.stdout, "train")["folder"] == "runs/new"
    shutil.rmtree(tmp_path / "runs" / "live")
    result = rum("train", "--quiet", "--resume", "--", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "runs/old/summary.json").exists()
    expected = "--resume: there is no unfinished run in 'runs' that no process is training"
    assert_one_line(rum("train", "--resume", cwd=tmp_path), 2, expected)


def test_config_file_reproduces_the_run(tmp_path, finished_run):
    config = finished_run / "config.yaml"
    result = rum("train", "--preset", config, "--out=again", "--quiet", cwd=tmp_path)
    assert result.returncode == 0
    assert read_records(tmp_path / "again") == read_records(finished_run)


@pytest.mark.e2e
@needs_posix
def test_run_continues_after_its_output_is_closed(tmp_path):
    process = start("train", "copying", "--steps=20", "--out=x", *SMALL, cwd=tmp_path, fresh=True)
    process.stderr.readline()
    process.stderr.close()
    assert process.wait(timeout=120) == 0
    assert [record["step"] for record in read_records(tmp_path / "x")] == [10, 20]


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("name", "code", "options"),
    [
        ("SIGINT", 130, []),
        pytest.param("SIGTERM", 143, [], marks=pytest.mark.slow),
        # Enough samples for two shards.
        pytest.param(
            "SIGKILL",
            -9,
            ["--set=cell.implementation=fused", "--batch-size=64"],
            marks=pytest.mark.slow,
        ),
    ],
)
@needs_posix
def test_resume_continues_bit_exactly(tmp_path, name, code, options):
    number = getattr(signal, name)
    # Given 120 steps in one go, with dropout and zoneout, in a process like those of users, since
    # the test process disables TensorFlow's graph optimizer, which changes last bits,
    arguments = ["train", "copying", "--steps=120", *SMALL_RUM, *RANDOM, *options]
    assert (
        rum_process(*arguments, "--out=whole", "--quiet", cwd=tmp_path, fresh=True).returncode == 0
    )
    # when the same is stopped at about step 60 and resumed,
    process = start(*arguments, "--out=parts", cwd=tmp_path, fresh=True)
    parts = tmp_path / "parts"
    found, _, err = interrupt_when(process, lambda: last_saved_step(parts) >= 60, number)
    assert found == code
    assert last_saved_step(parts) < 120
    if name != "SIGKILL":
        assert f"saved at step {last_saved_step(parts)} of 120" in err
        assert err.endswith("to resume: rum train --resume parts\n")
    assert (
        rum_process("train", "--resume=parts", "--quiet", cwd=tmp_path, fresh=True).returncode == 0
    )
    # then losses and weights are the same to the last bit.
    assert read_records(parts) == read_records(tmp_path / "whole")
    with (
        np.load(tmp_path / "whole/checkpoints/step-00000120.npz") as one,
        np.load(parts / "checkpoints/step-00000120.npz") as other,
    ):
        names = [name for name in one.files if name != "manifest"]
        assert [name for name in names if not np.array_equal(one[name], other[name])] == []


@pytest.mark.e2e
@needs_posix
def test_stop_before_the_first_step_prints_the_resume_command(tmp_path):
    process = start("train", "copying", "--steps=20", "--out=x", *SMALL, cwd=tmp_path)
    config = tmp_path / "x" / "config.yaml"
    code, out, err = interrupt_when(process, config.exists)
    assert code == 130
    assert out == ""
    assert err.splitlines()[-1].endswith("to resume: rum train --resume x")
    assert rum("train", "--resume=x", "--quiet", cwd=tmp_path).returncode == 0


@pytest.mark.e2e
def test_unknown_backend_is_rejected_without_leaving_files(tmp_path):
    env = {"KERAS_BACKEND": "bogus"}
    result = rum_process("train", "copying", "--out=x", cwd=tmp_path, env=env)
    assert_one_line(result, 2, "KERAS_BACKEND=bogus: unknown backend 'bogus'; backends: ")
    assert list(tmp_path.iterdir()) == []


def test_quiet_run_prints_nothing_and_can_be_extended(tmp_path):
    result = rum("train", "copying", "--steps=10", "--quiet", "--out=x", *SMALL, cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert (tmp_path / "x" / "summary.json").exists()
    result = rum("train", "--resume=x", "--steps=20", "--json", cwd=tmp_path)
    assert validated(result.stdout, "train")["steps"] == 20
    assert [record["step"] for record in read_records(tmp_path / "x")] == [10, 20]


@pytest.mark.e2e
def test_training_runs_on_jax(tmp_path):
    pytest.importorskip("jax")
    arguments = ["train", "copying", "--steps=20", *SMALL_RUM, *RANDOM, "--json"]
    result = rum_process(*arguments, cwd=tmp_path, env={"KERAS_BACKEND": "jax"})
    assert result.returncode == 0, result.stderr
    assert validated(result.stdout, "train")["steps"] == 20


@pytest.mark.e2e
def test_train_step_is_compiled_once(tmp_path):
    # Given the fused loop, and more evaluations than programs that one step needs,
    arguments = ["train", "copying", "--steps=60", *SMALL_RUM, "--set=cell.implementation=auto"]
    # when XLA dumps its compiled programs,
    env = {"XLA_FLAGS": "--xla_dump_to=dump --xla_dump_hlo_as_text"}
    assert rum_process(*arguments, "--quiet", cwd=tmp_path, env=env).returncode == 0
    programs = list((tmp_path / "dump").glob("*cpu_after_optimizations.txt"))
    # then it is once: whether there is a compiler at all; forwards and backwards for training;
    # forwards for the batches of an evaluation, whose shards may be empty.
    assert 3 < len(programs) <= 5


@pytest.mark.e2e
def test_cell_that_cannot_be_fused_is_rejected_without_leaving_files(tmp_path):
    arguments = ["--set=cell.implementation=fused", "--out=x", "--set=cell.slow.name=arum"]
    result = rum_process("train", "copying", "--cell=fsrnn", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    why = "ARUMCell in a Fast-Slow RNN has no fused loop"
    complaint = f"rum: error: cell 'fsrnn': implementation='fused' is not available: {why}"
    assert result.stderr.splitlines()[-1].startswith(complaint)
    assert list(tmp_path.iterdir()) == []


def test_run_stops_at_its_threshold_and_is_then_finished(tmp_path):
    # given
    run = ["--until=loss<1000", "--steps=40", "--out=run", "--json", *SMALL]

    # when
    result = rum("train", "copying", *run, cwd=tmp_path)
    again = rum("train", "--resume=run", "--steps=60", cwd=tmp_path)

    # then
    found = validated(result.stdout, "train")
    assert (found["steps"], found["until_met"]) == (10, "loss<1000")
    assert again.returncode == 0
    assert again.stderr == "run is finished at step 10, where it met loss<1000\n"
