import json
import re
from html.parser import HTMLParser

import pytest

from rumcli import config
from rumcli.analysis import comparison as contents
from rumcli.reporting import html_report as pages
from rumcli.training.run_dir import RunDir
from tests.cli.commands import assert_one_line, rum
from tests.documents import validated
from tests.runs import write_summary
from tests.small import run_config

HOSTILE = "<script>alert(1)</script> & |*_`"


def make_run(path, accuracy=None, cell="gru", validations=(0.2, 0.4), task="recall", settings=()):
    """Make the directory of a run that was never trained."""
    folder = RunDir.create(path, run_config(task, cell, settings=settings))
    for number, value in enumerate(validations, 1):
        folder.append_record({"step": 10 * number, "seconds": 1.0 * number, "val_accuracy": value})
    folder.write_json("environment.json", {"backend": "jax", "jax": "1.2", "torch": "9.9"})
    if accuracy is not None:
        baseline = {"metric": "accuracy", "label": "chance", "value": 0.1, "target": 1.0}
        write_summary(folder, accuracy, "accuracy", baseline=baseline, examples=400)
    return folder


@pytest.fixture
def runs(tmp_path):
    """A finished run with a hostile name, and a better one that was stopped."""
    make_run(tmp_path / "runs" / HOSTILE.replace("/", "\\"), 0.25)
    make_run(tmp_path / "runs" / "second", cell="lstm", validations=(0.3, 0.5))
    return tmp_path


class _Page(HTMLParser):
    """The tags, the addresses and the text of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.addresses, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [v for k, v in attrs if k in ("src", "srcset", "href", "action", "data")]

    def handle_data(self, data):
        self.text += data


def test_page_is_self_contained_and_escapes_names(runs):
    result = rum("report", "runs", "--out", "page.html", cwd=runs)
    assert (result.returncode, result.stderr) == (0, "wrote page.html\n")
    text = (runs / "page.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert "script" not in page.tags
    assert HOSTILE.replace("/", "\\") in page.text
    assert len(page.addresses) == 4  # the curves, light and dark, for wide and narrow screens
    assert all(one.startswith("data:image/svg+xml;base64,") for one in page.addresses)
    assert not re.search(r"url\(|@import", text)
    for part in ("chance 10.0%", "25.0% ± 2.2%", "cell.name", "rum train --preset", "jax"):
        assert part in page.text
    assert "torch" not in page.text


def test_markdown_has_the_same_tables(runs):
    result = rum("report", "runs", "--markdown", cwd=runs)
    assert (result.returncode, result.stderr) == (0, "")
    rows = [line for line in result.stdout.splitlines() if line.startswith("|")]
    # Escaped bars do not end a cell.
    widths = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert set(widths) == {8, 3}
    for part in ("chance 10.0%", "25.0% ± 2.2%", "→ 50.0%", "    rum train --preset", "# recall: "):
        assert part in result.stdout
    assert [path.name for path in runs.iterdir()] == ["runs"]


def test_json_has_standard_errors_and_the_commands(runs):
    result = rum("report", "runs", "--json", cwd=runs)
    found = validated(result.stdout, "report")
    assert (found["task"], found["metric"], found["path"]) == ("recall", "accuracy", None)
    second, first = found["runs"]
    assert (second["value"], second["split"], second["standard_error"]) == (0.5, "validation", None)
    assert (first["count"], first["standard_error"]) == (
        400,
        pytest.approx(0.25 * 0.75 / 8.66025, rel=1e-3),
    )
    assert second["command"] == "rum train --preset runs/second/config.yaml"
    assert found["differences"] == ["cell.name"]


@pytest.mark.parametrize("name", ["plain", "with space"])
def test_command_repeats_the_configuration(tmp_path, name):
    folder = make_run(tmp_path / name, 0.5)
    (run,) = contents.report_runs([folder], ["run"], None).runs
    arguments = run.command.replace("'", "").removeprefix("rum train --preset ")
    assert config.build(arguments) == folder.config


def test_differences_in_many_settings_are_rows(tmp_path):
    changed = ["seed=2", "train.keep_checkpoints=3", "model.dropout=0.5"]
    folders = [make_run(tmp_path / "a"), make_run(tmp_path / "b", settings=changed)]
    content = contents.report_runs(folders, ["a", "b"], None)
    text = pages.to_markdown(content)
    assert "| key | a | b |" in text
    assert r"| train.keep\_checkpoints | 2 | 3 |" in text


def test_run_without_evaluation_is_listed_without_curves(tmp_path):
    make_run(tmp_path / "new", validations=())
    assert rum("report", "new", cwd=tmp_path).returncode == 0
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "no evaluation yet" in text
    assert "<img" not in text


def test_runs_of_different_tasks_are_rejected(runs):
    make_run(runs / "runs" / "third", task="copying")
    result = rum("report", "runs", cwd=runs)
    assert_one_line(result, 2, "the runs belong to different tasks: ")
    assert not (runs / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["gone"], "there is no run directory gone"),
        (["runs", "--out", "page.pdf"], "--out page.pdf: expected a name that ends in .html"),
        (["runs", "--out", "no/page.html"], "can't write no/page.html"),
        (["runs", "--out", "there.html"], "there.html exists; choose another name, or --force"),
        (["runs", "--markdown", "--json"], "--markdown and --json are mutually exclusive"),
        (["runs", "--markdown", "--out", "a.html"], "--markdown and --out are mutually exclusive"),
    ],
)
def test_wrong_usage_is_one_line(runs, arguments, expected):
    (runs / "there.html").touch()
    assert_one_line(rum("report", *arguments, cwd=runs), 2, expected)


def test_accuracy_of_one_has_no_error(tmp_path):
    folder = make_run(tmp_path / "solved", 1.0)
    text = pages.to_markdown(contents.report_runs([folder], ["target"], None))
    assert "100.0% (n = 400)" in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "±" not in text
    assert json.loads((tmp_path / "solved/summary.json").read_text())["examples"] == 400
