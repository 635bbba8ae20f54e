import json

import pytest

from rumcli.jobs.events import FAILED, STOPPED, RunResult
from rumcli.reporting.reproduction_table import markdown, results_table
from tests.rendering import render
from tests.reproduction.files import PLAIN, finish_run, results_of, runs, table, write_record

NOTED = {
    "rum": "1.0",
    "processor": "A processor",
    "cores": 2,
    "accelerators": ["NVIDIA H200", "NVIDIA H200"],
    "command": ["/bin/rum", "reproduce", "small", "--budget", "1h"],
}


def render_table(read, folder, width, seeds=2):
    """Return the text of a table in the terminal, and of its page."""
    found = results_of(read, folder, seeds)
    return render(results_table(found), width), markdown(found)


@pytest.fixture
def filled(tmp_path):
    read, folder = table(tmp_path)
    by_name = runs(read)
    finish_run(folder, by_name["gru-t-4-seed-1"], 0.2, seconds=60)
    folder.run_folder(by_name["gru-t-4-seed-1"]).write_json("environment.json", NOTED)
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
    place = folder.run_folder(runs(read)["gru-t-4-seed-1"]).path / "environment.json"
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
    assert "* mean over a part of the 2 runs only" in text
    assert "| 0.200\\* |" in page
    assert "- \\* mean over a part" in page  # a star alone would begin a list


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("generated", "all runs have generated stories, not the official ones"),
        ("here, en; training generated, for want of qa3", "all runs have generated training"),
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
    place = folder.run_folder(run)
    place.write_json("summary.json", {**place.summary(), "data": data})

    # when
    text, page = render_table(read, folder, 200)

    # then
    assert ("stories" in text) == (expected is not None)
    assert expected is None or f"- {expected}" in page
