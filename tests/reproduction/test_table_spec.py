"""Errors in a table are reported with their position before any run starts."""

import contextlib
import os
import re
import shlex
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli import config
from rumcli.config import yaml_io
from rumcli.errors import ConfigError
from rumcli.reproduction import table_spec
from rumcli.reproduction import table_spec as tables
from rumcli.reproduction.table_results import TableFolder, TableOptions
from tests.reproduction.files import PLAIN, SMALL, runs, table, write_table

_PAGE = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text(encoding="utf-8")
MANUAL = _PAGE.partition("\n## The paper's tables\n")[2]


@pytest.mark.parametrize("name", tables.table_names())
def test_packaged_tables_are_valid(name):
    read = tables.read_table(name)
    found = list(runs(read, read.spec.seeds).values())
    assert (
        len({job.name for group in table_spec.job_groups(read, 3) for job in group.jobs})
        >= len(found)
        > 0
    )
    assert read.spec.seeds == 3
    assert all(cell.runs for cell in read.entries)


def test_tables_match_the_manual():
    assert tables.table_names() == [
        "babi",
        "babi_equal",
        "copying",
        "ptb",
        "recall",
        "recall_lengths",
        "state_tracking",
    ]
    rows = re.findall(r"^\| `(\w+)` \| .*\| .*\|$", MANUAL, re.MULTILINE)
    assert sorted(rows[: len(tables.table_names())]) == tables.table_names()


def test_published_values_are_quoted_as_printed():
    cells = {cell.row: cell.published for cell in tables.read_table("ptb").entries}
    assert cells["FS-LSTM-2"] == "1.190"
    assert {cell.row: cell.published for cell in tables.read_table("babi").entries} == {
        "RUM": "73.2, unverified",
        "GORU": "60, unverified",
        "LSTM": None,
    }


def test_manual_example_is_valid(tmp_path):
    (example,) = re.findall(r"```yaml\n(.*?)```", MANUAL, flags=re.DOTALL)
    (tmp_path / "manual.yaml").write_text(example, "utf-8")
    read = tables.read_table(str(tmp_path / "manual.yaml"))
    assert [(cell.row, cell.condition, cell.published) for cell in read.entries] == [
        ("RUM, λ = 1, η = 0.1", "T = 30", None),
        ("RUM, λ = 1, η = 0.1", "T = 50", "100"),
        ("LSTM", "T = 30", None),
        ("LSTM", "T = 50", "does not solve it"),
    ]


@pytest.mark.parametrize("model", [tables.TableSpec, tables.TableRow])
def test_every_key_is_in_the_manual(model):
    assert [key for key in model.model_fields if f"| `{key}` |" not in MANUAL] == []


def test_rows_are_over_conditions_and_these_over_the_table(tmp_path):
    read, _ = table(
        tmp_path,
        conditions={"A": {"train.batch_size": 4, "cell.units": 5}},
        rows={"GRU": {"set": {"cell": {"name": "gru", "units": 6}}}},
    )
    (run,) = read.entries[0].runs
    assert (run.cell.name, run.cell.units, run.train.batch_size) == ("gru", 6, 4)


def test_a_share_is_of_a_row_or_of_its_conditions(tmp_path):
    rows = {**PLAIN, "RUM": {"budget_weight": 3}, "ARUM": {"budget_weight": {"T = 6": 2.5}}}
    read, _ = table(tmp_path, rows=rows)
    assert [(cell.row, cell.budget_weight) for cell in read.entries] == [
        *(("GRU", 1), ("GRU", 1), ("LSTM", 1), ("LSTM", 1)),
        *(("RUM", 3), ("RUM", 3), ("ARUM", 1), ("ARUM", 2.5)),
    ]


def test_a_table_may_have_no_conditions(tmp_path):
    read, _ = table(tmp_path, conditions=None, rows={"GRU": {"published": 1}})
    assert read.conditions == [""]
    assert list(runs(read, 1)) == ["gru-seed-1"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"rows": None}, "'rows' is missing"),
        ({"rows": {}}, "rows: "),
        ({"mertic": "loss"}, r"line \d+, column 1: unknown key 'mertic'; did you mean 'metric'"),
        (
            {"rows": {"A": {"sett": {}}}},
            r"line \d+, column 5: unknown key 'sett'; did you mean 'set'",
        ),
        ({"unit": "percents"}, "unit: expected 'percent', 'bits', 'nats' or 'none', got"),
        ({"metric": "los"}, r"column 1: unknown metric 'los'; did you mean 'loss'\? metrics: "),
        ({"seeds": 0}, "seeds: expected at least 1, got 0"),
        (
            {"rows": {"A": {"budget_weight": 0}}},
            "budget_weight: expected a number greater than 0, got 0",
        ),
        ({"rows": {"A": {"budget_weight": float("nan")}}}, "budget_weight: expected "),
        ({"task": None}, "expected 'preset' or 'task'"),
        ({"task": "coping"}, "unknown task 'coping'; did you mean 'copying'"),
        ({"preset": "recall"}, "the preset is for 'recall', not 'copying'"),
        ({"set": {"train.stesp": 3}}, r"line 5, .*unknown key 'stesp'; did you mean 'steps'"),
        ({"set": {"seed": 3}}, "expected the seeds under 'seeds'"),
        ({"set": {"train.until": "symbol_accuracy>=1"}}, "expected the table's metric, 'loss'"),
        (
            {"conditions": {"T": {"task.delay": 0}}, "rows": PLAIN},
            r"line \d+, .*task.delay: expected at least 1",
        ),
        (
            {"conditions": {"A b": {}, "a-B": {}}, "rows": PLAIN},
            "'a-B' and 'A b' would have the same directory",
        ),
        (
            {
                "conditions": {"wide": {}, "tall wide": {}},
                "rows": {"A": PLAIN["GRU"], "A tall": PLAIN["GRU"]},
            },
            r"line \d+, .*'A tall' under 'wide' and 'A' under 'tall wide' would have the same dir",
        ),
        ({"rows": {"·": {}}}, "expected letters or digits"),
        (
            {"rows": {"A": {"published": {"T = 5": 1}}}},
            r"line \d+, column 7: unknown condition 'T = 5'; did you mean 'T = 6'",
        ),
        (
            {"rows": {"A": {"set": {"cell.name": "gru", "cell.time_norm": 1.0}}}},
            r"cell 'gru' has no option 'time_norm'",
        ),
        (
            {"rows": {"A": {"preset": "recall"}, "B": {"preset": "copying"}}, "task": None},
            "the runs have several tasks, copying, recall; expected one",
        ),
    ],
)
def test_errors_name_their_position(tmp_path, changes, expected):
    path = write_table(tmp_path, **changes)
    with pytest.raises(ConfigError) as error:
        tables.read_table(str(path))
    assert re.search(expected, str(error.value)), str(error.value)
    assert "small.yaml" in str(error.value)


KEYS = [
    "set",
    "cell",
    "cell.units",
    "train.steps",
    "task.delay",
    "A",
    "T = 4",
    "skip_reason",
    "over",
]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 9)
    | st.floats()
    | st.sampled_from(["", "gru", "A"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*SMALL, "average", "preset", "more"]), VALUES))
def test_any_file_is_a_table_or_raises_config_error(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("any") / "any.yaml"
    path.write_text(yaml_io.dump({**SMALL, **changes}), "utf-8")
    with contextlib.suppress(ConfigError):
        assert tables.read_table(str(path)).entries


def test_unknown_table_lists_the_known_ones():
    with pytest.raises(ConfigError, match="unknown table 'recal'; did you mean 'recall'"):
        tables.read_table("recal")


def test_data_option_is_rejected_for_a_task_without_data():
    with pytest.raises(ConfigError, match="--data here: the task of this table, 'recall', reads"):
        tables.read_table("recall", "here")


def test_seed_1_of_every_entry_comes_first(tmp_path):
    read, _ = table(tmp_path)
    assert list(runs(read, 2)) == [
        f"{cell}-t-{delay}-seed-{seed}"
        for seed in (1, 2)
        for cell in ("gru", "lstm")
        for delay in (4, 6)
    ]


def test_a_mean_has_a_run_for_each_of_its_values(tmp_path):
    read, _ = table(
        tmp_path, average={"over": "task.delay", "of": [4, 5]}, conditions={"A": {}}, rows=PLAIN
    )
    assert [(run.name, run.config.task.delay) for run in runs(read, 1, ["gru"]).values()] == [
        ("gru-a-delay-1-seed-1", 4),
        ("gru-a-delay-2-seed-1", 5),
    ]


def test_optional_row_is_run_if_it_is_named(tmp_path):
    rows = {"η = 2": {"skip_reason": "too large"}, "GRU": {}}
    read, _ = table(tmp_path, rows=rows, conditions=None)
    assert list(runs(read, 1)) == ["gru-seed-1"]
    for label in ("η = 2", "eta-2"):
        assert list(runs(read, 1, [label])) == ["eta-2-seed-1"]
    with pytest.raises(ConfigError, match=r"--only gru u: unknown row 'gru-u'; .* eta-2, gru"):
        table_spec.job_groups(read, 1, ["gru u"])


def test_conditions_are_chosen_as_rows_are(tmp_path):
    rows = {**PLAIN, "η = 2": {"skip_reason": "too large"}}
    read, _ = table(tmp_path, rows=rows)
    for label in ("T = 6", "T=6", "t-6", " t 6"):
        assert list(runs(read, 1, (), [label])) == [
            "gru-t-6-seed-1",
            "lstm-t-6-seed-1",
        ]
    assert list(runs(read, 1, ["η = 2"], ["T = 4"])) == ["eta-2-t-4-seed-1"]
    with pytest.raises(ConfigError, match="--condition T = 5: unknown condition 't-5'"):
        table_spec.job_groups(read, 1, (), ["T = 5"])
    without = tables.read_table(str(write_table(tmp_path, rows=PLAIN, conditions=None)))
    with pytest.raises(ConfigError, match="--condition T = 5: the table has no conditions"):
        table_spec.job_groups(without, 1, (), ["T = 5"])


@pytest.mark.parametrize("name", [*tables.table_names(), None])
def test_the_command_of_a_run_makes_that_run(tmp_path, name):
    read = tables.read_table(name or str(write_table(tmp_path)))
    for entry, run in table_spec.due_groups(table_spec.job_groups(read, 1))[:25]:
        words = shlex.split(table_spec.run_command(entry, run, tmp_path))
        assert words[:2] == ["rum", "train"]
        preset = words[words.index("--preset") + 1] if "--preset" in words else None
        assignments = [word.removeprefix("--set=") for word in words if word.startswith("--set=")]
        made = config.build(preset, assignments, {("task", "name"): words[2]})
        assert made == run.config
        assert words[-1] == str(tmp_path / run.name)


def test_small_test_table_matches_the_expectations_of_tests():
    assert list(SMALL["conditions"]) == ["T = 4", "T = 6"]


def test_a_folder_of_another_table_is_rejected_and_an_older_file_replaced(tmp_path):
    # given
    read, folder = table(tmp_path)
    other = tables.read_table(str(write_table(tmp_path, "other.yaml", metric="symbol_accuracy")))
    newer = tables.read_table(str(write_table(tmp_path, "small.yaml", seeds=7)))

    # then
    with pytest.raises(
        ConfigError, match=r"out: it belongs to another table, 'A small table'; choose"
    ):
        TableFolder.prepare(folder.path, other)
    assert (folder.path / "table.yaml").read_text("utf-8") == read.text
    again = TableFolder.prepare(folder.path, newer)
    assert (folder.path / "table.yaml").read_text("utf-8") == read.text
    again.describe(newer, TableOptions())
    assert (folder.path / "table.yaml").read_text("utf-8") == newer.text


def test_unrelated_tables_cannot_share_a_directory(tmp_path):
    _, folder = table(tmp_path)
    conditions = {"T = 9": {"task.delay": 9}}
    other = tables.read_table(
        str(write_table(tmp_path, "other.yaml", conditions=conditions, rows=PLAIN))
    )
    with pytest.raises(ConfigError, match="it belongs to another table"):
        TableFolder.prepare(folder.path, other)


def test_directory_of_a_process_killed_at_once_is_new(tmp_path):
    read = tables.read_table(str(write_table(tmp_path)))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "lock").write_text("{}")
    folder = TableFolder.prepare(tmp_path / "out", read)
    folder.describe(read, TableOptions())
    assert (tmp_path / "out" / "table.yaml").read_text("utf-8") == read.text


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_table_read_from_a_pipe_is_stored_completely(tmp_path):
    # given
    text = write_table(tmp_path).read_text("utf-8")
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_text, args=(text, "utf-8"))
    writing.start()

    # when
    read = tables.read_table(str(pipe))
    writing.join()

    # then
    assert read.text == text


def test_a_command_trusts_the_code_that_its_run_names(tmp_path):
    rows = {**PLAIN, "mine": {"set": {"cell.name": "custom", "cell.factory": "mine:Cell"}}}
    read, folder = table(tmp_path, rows=rows, conditions=None)
    commands = {
        entry.row: table_spec.run_command(entry, run, folder.path)
        for entry, run in table_spec.due_groups(table_spec.job_groups(read, 1))
    }
    assert " --trust-code --out " in commands["mine"]
    assert "--trust-code" not in commands["GRU"]
