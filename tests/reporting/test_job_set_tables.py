"""A sweep on the screen and as a plot."""

import io
import json
import re

import pytest
from rich.console import Console

from rumcli.jobs.job_spec import (
    FAILED,
    FINISHED,
    STOPPED,
    STOPPED_EARLY,
    UNFINISHED,
    Job,
    RunProgress,
    RunResult,
)
from rumcli.reporting import job_progress
from rumcli.reporting import job_set_tables as reporting
from rumcli.reporting.job_set_tables import markdown, results_table
from rumcli.sweeps import search
from tests.rendering import render
from tests.reproduction.files import PLAIN, finish_run, results_of, runs, table, write_record
from tests.sweeps.files import run_of, sweep, write_run

A, B = ({"optimizer.learning_rate": rate, "cell.name": "gru"} for rate in (0.01, 0.001))
PARAMETERS = {"optimizer.learning_rate": [0.01, 0.001], "cell.name": ["gru"]}

NOTED = {
    "rum": "1.0",
    "processor": "A processor",
    "cores": 2,
    "accelerators": ["NVIDIA H200", "NVIDIA H200"],
    "command": ["/bin/rum", "reproduce", "small", "--budget", "1h"],
}


@pytest.fixture
def made(tmp_path):
    folder, plan = sweep(tmp_path, [A, B], parameters=PARAMETERS)
    for seed, value in ((1, 0.5), (2, 0.4)):
        write_run(folder, run_of(plan, 1, seed, A), [value], test=value)
    write_run(folder, run_of(plan, 2, 1, B), [0.3])
    folder.mark(run_of(plan, 2, 1, B), RunResult(FAILED, "the loss is not finite"))
    return folder, plan


@pytest.mark.parametrize("width", [120, 60, 40])
def test_table_is_complete_at_any_width(made, width):
    found = render(reporting.sweep_results_table(search.read_results(made[0])), width)
    whole = "".join(found.split())
    for part in ("0.4500±0.0707", "1failed,1not", "validationloss", "0.001", "lowestloss"):
        assert part in whole
    assert max(map(len, found.splitlines())) <= width


def test_mean_over_some_seeds_is_marked(tmp_path):
    folder, plan = sweep(tmp_path, [A, B], parameters=PARAMETERS, seeds=[1, 2, 3])
    for seed, value in ((1, 0.5), (2, 0.4), (3, 0.6)):
        write_run(folder, run_of(plan, 1, seed, A), [value], test=value)
        write_run(
            folder, run_of(plan, 2, seed, B), [value + 1], test=value + 1 if seed == 1 else None
        )
        folder.mark(run_of(plan, 2, seed, B), RunResult(STOPPED_EARLY, "at step 10"))
    found = render(reporting.sweep_results_table(search.read_results(folder)), 160)
    whole, part = (line for line in found.splitlines() if "gru" in line)
    assert [cell.strip() for cell in whole.split("│")[4:6]] == ["0.5000 ± 0.1000"] * 2
    assert [cell.strip() for cell in part.split("│")[4:6]] == ["1.500 ± 0.100", "1.500 (1 of 3)"]
    caption = " ".join(found.split())
    assert (
        "test of each finished or stopped run; mean ± standard deviation over 3 seeds, or over"
        in caption
    )


def test_caption_omits_the_mark_if_all_seeds_have_results(tmp_path):
    folder, plan = sweep(tmp_path, [A], parameters=PARAMETERS)
    for seed in (1, 2):
        write_run(folder, run_of(plan, 1, seed, A), [0.5], test=0.5)
    found = " ".join(
        render(reporting.sweep_results_table(search.read_results(folder)), 160).split()
    )
    assert found.endswith("over 2 seeds")
    assert " of 2)" not in found


SWEEP = job_progress.Title()


def job(point, seed, settings):
    return Job(f"point-{point}-seed-{seed}", seed, settings=settings)


def test_progress_lines_report_each_event():
    console = Console(file=io.StringIO(), width=60)
    listener = job_progress.listener(console, quiet=False, live=False, title=SWEEP)
    one = job(1, 1, A)
    listener.started("out", 4, 1, 2)
    listener.began(one)
    listener.progressed(one, RunProgress(10, 20, "loss", 0.5, False), "here")
    listener.retried(one, "its process or machine died")
    listener.began(one)
    listener.ended(one, FINISHED, "")
    listener.ended(job(1, 2, A), FAILED, "the loss is not finite")
    assert console.file.getvalue().splitlines() == [
        "sweep of 4 runs, 1 of them done before; 2 at a time; directory out",
        "point-1-seed-1 starts: optimizer.learning_rate=0.01, cell.name=gru",
        "warning: point-1-seed-1: its process or machine died; resuming from its last checkpoint",
        "point-1-seed-1 starts: optimizer.learning_rate=0.01, cell.name=gru",
        "point-1-seed-1 finished, validation loss 0.5000",
        "warning: point-1-seed-2 failed: the loss is not finite",
    ]


def test_terminal_shows_running_runs_with_their_machines():
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    listener = job_progress.listener(console, quiet=False, live=True, title=SWEEP)
    listener.started("out", None, 0, 2)
    for seed, machine in ((1, "left"), (2, "right")):
        listener.began(job(1, seed, A))
        standing = RunProgress(10, 20, "accuracy", seed / 10, True)
        listener.progressed(job(1, seed, A), standing, machine)
    text = render(listener._renderable(), 100)
    listener.finished()
    for part in ("point-1-seed-2", "10/20", "left", "right", "2 running", "best accuracy 20.0%"):
        assert part in text


def test_run_stopped_before_training_is_reported_as_not_started(tmp_path):
    (tmp_path / "point-1-seed-1" / "checkpoints").mkdir(parents=True)
    (tmp_path / "point-1-seed-1" / "checkpoints" / "step-00000010.npz").touch()
    console = Console(file=io.StringIO(), width=60)
    listener = job_progress.listener(console, quiet=False, live=False, title=SWEEP)
    listener.started(str(tmp_path), 2, 0, 2)
    for seed in (1, 2):
        listener.ended(job(1, seed, A), UNFINISHED, "")
    lines = console.file.getvalue().splitlines()
    assert lines[-2:] == ["point-1-seed-1 saved", "point-1-seed-2 not started"]
    for live, shown in ((False, ["resumes", "starts"]), (True, ["resumes", "starts"])):
        console = Console(file=io.StringIO(), width=100)
        listener = job_progress.listener(console, quiet=False, live=live, title=SWEEP)
        listener.started(str(tmp_path), 2, 0, 2)
        for seed in (1, 2):
            listener.began(job(1, seed, {}))
        text = render(listener._renderable(), 100) if live else console.file.getvalue()
        listener.finished()
        assert re.findall("resumes|starts", text) == shown


SETTINGS = "optimizer.learning_rate=0.01, cell.name=gru"


@pytest.mark.parametrize(
    ("width", "settings", "height"),
    [(100, SETTINGS, 7), (60, SETTINGS, 6), (60, f"{SETTINGS}, cell.units=100", 8), (40, None, 6)],
)
def test_narrow_terminal_truncates_no_run(width, settings, height):
    console = Console(file=io.StringIO(), width=width, force_terminal=True)
    listener = job_progress.listener(console, quiet=False, live=True, title=SWEEP)
    listener.started("out", 40, 0, 2)
    given = A if settings in (None, SETTINGS) else {**A, "cell.units": 100}
    for point in (1, 2):
        listener.began(job(point, 1, given))
    standing = RunProgress(1200, 5000, "symbol_accuracy", 0.123, True)
    listener.progressed(job(1, 1, given), standing, "")
    text = render(listener._renderable(), width)
    listener.finished()
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) <= height
    for part in ("point-1-seed-1", "point-2-seed-1", "1200/5000", "accuracy 12.3%", "starts"):
        assert any(part in line for line in lines)
    # the settings are there whole, or not at all
    is_there = settings is not None and width - len(settings) > len("point-1-seed-1")
    assert sum("optimizer" in line for line in lines) == 2 * is_there
    assert sum(str(settings) in line for line in lines) == 2 * is_there


def test_terminal_shows_as_many_runs_as_fit():
    console = Console(file=io.StringIO(), width=60, force_terminal=True)
    listener = job_progress.listener(console, quiet=False, live=True, title=SWEEP)
    listener.started("out", 40, 0, 20)
    for point in range(1, 21):
        listener.began(job(point, 1, A))
    wide, narrow = (render(listener._renderable(), width).splitlines() for width in (100, 60))
    listener.finished()
    assert "and 8 more" in wide
    assert len(wide) == 18
    assert "and 14 more" in [line.strip() for line in narrow]
    assert len(narrow) == 14


def test_table_runs_have_no_best_run_and_an_optional_time_limit():
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    title = job_progress.Title("table recall", ranks=False, seconds=1800)
    listener = job_progress.listener(console, quiet=False, live=True, title=title)
    listener.started("out", 4, 1, 2)
    for seed in (1, 2):
        listener.began(job(1, seed, {}))
        listener.progressed(job(1, seed, {}), RunProgress(10, 20, "accuracy", 0.5, True), "")
    listener.ended(job(1, 1, {}), "stopped", "at step 12")
    text = render(listener._renderable(), 100)
    listener.finished()
    lines = console.file.getvalue()
    assert "table recall of 4 runs, 1 of them done before; 2 at a time" in lines
    assert "point-1-seed-1 stopped at step 12, validation accuracy 50.0%" in lines
    assert "1 of 4 runs done, 1 running, 0 s of 30 min 0 s" in text
    assert "best" not in text
    assert "settings" not in text


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, ["1 point, 1 seed each: 1 run", "sweep of 1 run; 1 at a time", "0 of 1 run done"]),
        (2, ["2 points, 2 seeds each: 4 runs", "sweep of 2 runs; 2 at a time", "0 of 2 runs done"]),
    ],
)
def test_one_run_is_singular(number, expected):
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    listener = job_progress.listener(console, quiet=False, live=True, title=SWEEP)
    listener.started("out", number, 0, number)
    picture = render(listener._renderable(), 100)
    listener.finished()
    points = render(reporting.points_table([A] * number, list(A), number), 100)
    for part, text in zip(expected, (points, console.file.getvalue(), picture), strict=True):
        assert part in text


def test_quiet_prints_errors_only():
    console = Console(file=io.StringIO(), width=60)
    listener = job_progress.listener(console, quiet=True, live=True, title=SWEEP)
    listener.started("out", 4, 0, 2)
    listener.began(job(1, 1, A))
    listener.ended(job(1, 1, A), FINISHED, "")
    assert console.file.getvalue() == ""
    listener.ended(job(1, 2, A), FAILED, "why")
    assert console.file.getvalue() == "warning: point-1-seed-2 failed: why\n"


def test_plot_has_a_panel_for_each_parameter(made):
    pytest.importorskip("matplotlib")
    from rumcli.reporting import job_set_tables

    folder, _ = made
    file = io.BytesIO()
    job_set_tables.draw_sweep(search.read_results(folder), file, "svg")
    text = file.getvalue().decode()
    assert "optimizer.learning_rate" in text
    assert "cell.name" in text
    assert "bars: mean ± deviation over 2 seeds, or over those with a value" in text


def test_invalid_point_is_reported_once_for_all_seeds_and_counted():
    console = Console(file=io.StringIO(), width=300)
    listener = job_progress.listener(console, quiet=False, live=False, title=SWEEP)
    listener.started("out", 4, 0, 2)
    listener.rejected([job(1, seed, A) for seed in (1, 2)], "expected an even integer, got 21")
    listener.stopping("stop requested")
    (line,) = (line for line in console.file.getvalue().splitlines() if "21" in line)
    assert line == (
        "warning: point-1-seed-1 and 1 other of its point cannot run: expected an even integer, "
        "got 21"
    )
    assert listener._headline.startswith("2 of 4 runs done, 0 running, 2 failed")


def render_table(read, folder, width, seeds=2):
    """Return the text of a table in the terminal, and of its page."""
    found = results_of(read, folder, seeds)
    return render(results_table(found), width), markdown(found)


@pytest.fixture
def filled(tmp_path):
    read, folder = table(tmp_path)
    by_name = runs(read)
    finish_run(folder, by_name["gru-t-4-seed-1"], 0.2, seconds=60)
    folder.run_dir(by_name["gru-t-4-seed-1"]).write_json("environment.json", NOTED)
    finish_run(folder, by_name["gru-t-4-seed-2"], 0.4, steps=10, reached="loss<0.5", seconds=120)
    folder.begin(by_name["gru-t-6-seed-1"])
    folder.mark(by_name["gru-t-6-seed-1"], RunResult(STOPPED, "", {"loss": 0.1}, 12, 30.0))
    write_record(folder, by_name["lstm-t-4-seed-1"], 10, 0.9)
    folder.begin(by_name["lstm-t-6-seed-1"])
    folder.mark(by_name["lstm-t-6-seed-1"], RunResult(FAILED, "it is [broken]"))
    return read, folder


def test_each_result_is_beside_the_published_one(filled):
    text, page = render_table(*filled, width=200)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    rows = [row for row in rows if row]
    assert rows == [
        ["GRU", "T = 4", "0.300 ± 0.141", "0.25", "2", "10–20", "1 min 30 s"],
        ["LSTM", "T = 4", "no test yet", "much", "–", "–", "–"],
        ["GRU", "T = 6", "0.100", "–", "1 of 2", "12 of 20", "30 s"],
        ["LSTM", "T = 6", "failed", "much", "–", "–", "–"],
    ]
    for row in rows:
        assert f"| {' | '.join(row)} |" in page


def test_a_name_that_is_not_valid_unicode_is_escaped(filled):
    read, folder = filled
    noted = {**NOTED, "command": ["rum", "--out", "a\udcff"]}
    place = folder.run_dir(runs(read)["gru-t-4-seed-1"]).path / "environment.json"
    place.write_text(json.dumps(noted))
    text, page = render_table(read, folder, width=200)
    assert r"command: rum --out 'a\xff'" in text
    assert r"rum --out 'a\xff'" in page


def test_caption_lists_the_setting_and_failed_runs(filled):
    text, page = render_table(*filled, width=200)
    for line in (
        "failed: lstm-t-6-seed-1: it is [broken]",
        "A processor, 2 cores, 2 × NVIDIA H200; rum 1.0",
    ):
        assert line in text
        assert f"- {line}" in page
    assert "\n    rum reproduce small --budget 1h\n" in page


def test_table_fits_sixty_columns(filled):
    text, _ = render_table(*filled, width=60)
    assert max(map(len, text.splitlines())) <= 60
    assert "0.300 ± 0.141" in text
    assert "…" not in text


def test_a_mean_over_a_part_is_marked(tmp_path):
    average = {"over": "task.delay", "of": [4, 5]}
    read, folder = table(tmp_path, average=average, conditions=None, rows=PLAIN)
    finish_run(folder, runs(read)["gru-delay-1-seed-1"], 0.2)
    text, page = render_table(read, folder, 200, seeds=1)
    assert "0.200*" in text
    assert "* mean over only some of the 2 runs" in text
    assert "| 0.200\\* |" in page
    assert "- \\* mean over only some" in page  # a star alone would begin a list


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("generated", "all runs have generated stories instead of the official ones"),
        (
            "here, en; training stories generated because qa3 is missing",
            "all runs have generated training",
        ),
        ("here, en", None),
    ],
)
def test_unofficial_stories_are_marked(tmp_path, data, expected):
    # given
    read, folder = table(
        tmp_path, task="babi", set={}, conditions=None, rows=PLAIN, metric="accuracy"
    )
    run = runs(read)["gru-seed-1"]
    finish_run(folder, run, 0.2, "accuracy")
    place = folder.run_dir(run)
    place.write_json("summary.json", {**place.summary(), "data": data})

    # when
    text, page = render_table(read, folder, 200)

    # then
    assert ("stories" in text) == (expected is not None)
    assert expected is None or f"- {expected}" in page
