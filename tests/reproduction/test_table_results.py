""""""

import pytest

from rumcli.errors import ConfigError
from rumcli.jobs.job_folder import statistics_of
from rumcli.jobs.job_spec import FAILED, STOPPED, RunResult
from rumcli.reproduction import table_results
from rumcli.reproduction import table_spec as tables
from rumcli.reproduction.table_results import TABLE, TableFolder, TableOptions, met_threshold
from tests.reproduction.files import (
    PLAIN,
    finish_run,
    result_of,
    results_of,
    runs,
    table,
    write_record,
    write_table,
)

from . import files

HERE = {
    "rum": "1.0",
    "python": "3.13.0",
    "backend": "jax",
    "jax": "0.9",
    "tensorflow": "2.21",
    "processor": "A processor",
    "cores": 2,
    "accelerators": ["A GPU", "A\nGPU"],
    "command": ["/somewhere/rum", "reproduce", "small.yaml", "--condition", "T = 4"],
}
THERE = {**HERE, "processor": "Another", "command": ["rum", "reproduce", "small.yaml"]}


@pytest.mark.parametrize("left", [["lock"], ["lock", ".table.yaml.17.part"]], ids=len)
def test_a_table_killed_while_it_was_created_can_be_started_in_the_same_folder(tmp_path, left):
    out = tmp_path / "out"
    out.mkdir()
    for name in left:
        (out / name).write_text("half")
    files.table(tmp_path)
    assert {path.name for path in out.iterdir()} - {"lock"} == {TABLE, "options.json"}


def test_directory_taken_by_another_table_is_unchanged(tmp_path):
    # given
    read, place = files.table(tmp_path)
    other = tables.read_table(
        str(files.write_table(tmp_path, "other.yaml", metric="symbol_accuracy"))
    )
    late = TableFolder(place.path)

    # when
    with pytest.raises(ConfigError, match="it belongs to another table, 'A small table'"):
        late.describe(other, TableOptions())

    # then
    assert (place.path / TABLE).read_text() == read.text


@pytest.fixture
def noted(tmp_path):
    read, folder = table(tmp_path)
    todo = list(runs(read).values())

    def note(number, content):
        folder.begin(todo[number]).write_json("environment.json", content)

    return note, lambda: table_results.provenance_of(folder, todo).model_dump()


def test_commands_and_machines_are_listed_once_in_order(noted):
    # given: the first run was resumed
    note, read = noted
    note(0, {**HERE, "resumed": [THERE]})
    note(1, HERE)

    # when
    found = read()

    # then
    assert found["commands"] == [
        "rum reproduce small.yaml --condition 'T = 4'",
        "rum reproduce small.yaml",
    ]
    assert [one["processor"] for one in found["machines"]] == ["A processor", "Another"]
    assert found["machines"][0] == {
        "processor": "A processor",
        "cores": 2,
        "accelerators": ["A GPU", "AGPU"],
        "versions": {"rum": "1.0", "python": "3.13.0", "jax": "0.9"},
    }


def test_provenance_is_empty_without_runs(noted):
    assert noted[1]() == {"commands": [], "machines": []}


@pytest.mark.parametrize(
    "content",
    [
        5,
        [],
        {"command": [], "resumed": 7},
        {"command": "rum", "cores": -1, "accelerators": "a", "rum": 5},
        {"command": ["rum", 5], "resumed": [3, None], "processor": []},
    ],
)
def test_foreign_environment_files_are_ignored(noted, content):
    note, read = noted
    note(0, content)
    assert read() == {"commands": [], "machines": []}


def test_long_or_unprintable_text_is_truncated(noted):
    note, read = noted
    note(0, {"processor": "\x1b[31m" + "x" * 10_000, "command": ["rum", "a\nb"]})
    found = read()
    assert found["machines"][0]["processor"].startswith("[31mxxx")
    assert len(found["machines"][0]["processor"]) == 500
    assert found["commands"] == ["rum 'ab'"]


def read_entries(read, folder):
    found = results_of(read, folder)
    return {(one.key.row, one.key.condition): one for one in found.groups}, found


def test_result_is_the_mean_test_value_over_seeds(tmp_path):
    # given
    read, folder = table(tmp_path)
    by_name = runs(read)
    for seed, value in ((1, 0.2), (2, 0.4)):
        finish_run(folder, by_name[f"gru-t-4-seed-{seed}"], value)

    # when
    found, whole = read_entries(read, folder)

    # then
    spread = statistics_of(found["GRU", "T = 4"].values)
    assert spread.mean == pytest.approx(0.3)
    assert spread.deviation == pytest.approx(0.1 * 2**0.5)
    assert found["LSTM", "T = 4"].values == []
    assert (whole.count("finished"), whole.count("not started")) == (2, 6)


def test_percent_is_a_hundred_times_the_value(tmp_path):
    read, folder = table(tmp_path, metric="symbol_accuracy", unit="percent")
    finish_run(folder, runs(read)["gru-t-4-seed-1"], 0.5, "symbol_accuracy")
    assert read_entries(read, folder)[0]["GRU", "T = 4"].values == [50.0]


def test_mean_over_some_runs_is_marked(tmp_path):
    average = {"over": "task.delay", "of": [4, 5]}
    read, folder = table(tmp_path, average=average, conditions=None, rows=PLAIN)
    by_name = runs(read)
    finish_run(folder, by_name["gru-delay-1-seed-1"], 0.2)
    finish_run(folder, by_name["gru-delay-2-seed-1"], 0.4)
    finish_run(folder, by_name["lstm-delay-1-seed-1"], 0.2)
    found, _ = read_entries(read, folder)
    assert found["GRU", ""].values == [pytest.approx(0.3)]
    assert found["GRU", ""].has_all_parts
    assert not found["LSTM", ""].has_all_parts


def test_a_stopped_run_has_its_test_and_its_step(tmp_path):
    read, folder = table(tmp_path)
    run = runs(read)["gru-t-4-seed-1"]
    write_record(folder, run, 10, 0.7)
    folder.mark(run, RunResult(STOPPED, "", {"loss": 0.5}, 12, 3.5))
    found = result_of(read, folder, run)
    assert (found.state, found.value) == (STOPPED, 0.5)
    assert (found.step, found.seconds) == (12, 3.5)
    write_record(folder, run, 15, 0.1)  # it resumed and was killed: the value is not of this step
    assert result_of(read, folder, run) == found
    finish_run(folder, run, 0.4)  # it went on to its end
    assert result_of(read, folder, run).value == 0.4


def test_run_that_reached_its_threshold_is_finished(tmp_path):
    read, folder = table(tmp_path)
    run = runs(read)["gru-t-4-seed-1"]
    finish_run(folder, run, 0.1, steps=10, until_met="loss<0.2")
    found = result_of(read, folder, run)
    assert (found.state, found.step) == ("finished", 10)
    assert met_threshold(found)


def test_failed_run_has_its_reason_until_it_restarts(tmp_path):
    read, folder = table(tmp_path)
    run = runs(read)["gru-t-4-seed-1"]
    folder.begin(run)
    folder.mark(run, RunResult(FAILED, "the loss is not finite"))
    found = result_of(read, folder, run)
    assert (found.state, found.message) == (FAILED, "the loss is not finite")
    folder.begin(run)
    assert result_of(read, folder, run).state == "not started"


def test_metric_missing_in_a_test_is_reported(tmp_path):
    read, folder = table(tmp_path, metric="symbol_accuracy")
    run = runs(read)["gru-t-4-seed-1"]
    finish_run(folder, run, 0.1)
    assert result_of(read, folder, run).message == "its test has no 'symbol_accuracy'"


def test_a_stopped_run_whose_test_is_not_finite_has_failed(tmp_path):
    read, folder = table(tmp_path)
    run = runs(read)["gru-t-4-seed-1"]
    folder.begin(run)
    folder.mark(run, RunResult(STOPPED, "", {"loss": float("nan")}, 12, 3.5))
    found = result_of(read, folder, run)
    assert (found.state, found.value) == (FAILED, None)
    assert found.message == "its test has no finite 'loss'"


@pytest.mark.parametrize(
    "content", ["", "[]", '{"state": "x"}', '{"state": "stopped", "step": -1}']
)
def test_invalid_mark_is_ignored(tmp_path, content):
    read, folder = table(tmp_path)
    run = runs(read)["gru-t-4-seed-1"]
    (folder.begin(run).path / "result.json").write_text(content)
    found = result_of(read, folder, run)
    assert (found.step, found.value) == (0, None)


def test_directory_of_another_kind_is_unchanged(tmp_path):
    read, _ = table(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not a directory of 'rum reproduce'"):
        TableFolder.prepare(tmp_path / "other", read)


def test_runs_of_another_table_are_rejected(tmp_path):
    read, folder = table(tmp_path)
    run = runs(read)["gru-t-4-seed-1"]
    folder.begin(run)
    folder.check(runs(read).values())
    other, again = table(tmp_path, rows={"GRU": {"set": {"cell.name": "gru", "cell.units": 9}}})
    with pytest.raises(ConfigError, match=r"gru-t-4-seed-1: the configuration .* in cell.units"):
        again.check(runs(other).values())
    folder.begin(runs(read)["gru-t-6-seed-2"])
    with pytest.raises(ConfigError, match=r"gru-t-4-seed-1 and 1 more: the configuration "):
        again.check(runs(other).values())


def test_file_in_place_of_a_run_is_reported(tmp_path):
    read, folder = table(tmp_path)
    (folder.path / "gru-t-4-seed-1").write_text("mine")
    with pytest.raises(ConfigError, match=r"gru-t-4-seed-1 is not a directory"):
        folder.check(runs(read).values())


def test_written_tables_can_be_read_back(tmp_path):
    read, folder = table(tmp_path)
    assert (folder.path / "table.yaml").read_text() == write_table(tmp_path).read_text()
    assert read.task == "copying"


def test_unrequested_runs_are_neither_failed_nor_pending(tmp_path):
    # given
    read, folder = table(tmp_path)
    by_name = runs(read)
    folder.begin(by_name["lstm-t-4-seed-1"])
    folder.mark(by_name["lstm-t-4-seed-1"], RunResult(FAILED, "it is broken"))
    asked = [run for name, run in by_name.items() if name.startswith("gru")]
    finish_run(folder, asked[0], 0.1)

    # when
    found = results_of(read, folder, only=["gru"])

    # then
    assert found.failures == []
    assert {one.job.name for one in found.due} == {run.name for run in asked}
    assert found.count(FAILED) == 1


@pytest.mark.parametrize("content", [None, "steps: [", "task: {name: recall}"])
def test_directory_of_another_run_is_skipped_with_a_warning(tmp_path, content):
    # given
    read, folder = table(tmp_path)
    run = runs(read)["gru-t-4-seed-1"]
    finish_run(folder, run, 0.1)
    if content is None:
        other = run.config.model_copy(update={"seed": 7})
        folder.run_dir(run).write_config(other)
    else:
        (folder.run_dir(run).path / "config.yaml").write_text(content)

    # when
    found = result_of(read, folder, run)

    # then
    assert (found.state, found.value) == ("not started", None)
    assert found.message == "its directory has a different seed" or content is not None
    assert found.message
