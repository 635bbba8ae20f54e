"""Untrusted run directories: any content or kind of file in place of each file."""

import io
import json

import pytest
from hypothesis import strategies as st
from rich.console import Console

from rumcli import config
from rumcli.errors import ConfigError
from rumcli.json_schemas.results import Summary
from rumcli.reporting import result_tables
from rumcli.training.run_dir import RunDir
from tests.hostile import strategies
from tests.hostile.cases import fuzz
from tests.hostile.outcomes import attempt, rum
from tests.hostile.test_babi_files import REMEMBERED as OF_STORIES
from tests.hostile.test_corpora import REMEMBERED as OF_A_TEXT
from tests.hostile.test_corpora import kinds, put

pytestmark = pytest.mark.usefixtures("_keras_is_not_started")

RECORD = {"step": 10, "loss": 2.0, "val_loss": 1.5, "val_accuracy": None, "seconds": 1.25}
SUMMARY = {
    "task": "copying",
    "cell": "gru",
    "parameters": 528,
    "steps": 20,
    "seconds": 1.5,
    "until_met": None,
    "skipped_steps": 0,
    "split": "test",
    "examples": 20,
    "weights_of_step": 20,
    "metric": "symbol_accuracy",
    "loss": 0.5,
    "symbol_accuracy": 0.25,
    "baseline": {
        "metric": "loss",
        "label": "memoryless",
        "value": 0.75,
        "target": 0.0,
        "published": None,
    },
    "gap_to_baseline": -0.25,
    "normalized_score": 0.5,
    "beats_baseline": True,
    "folder": "runs/copying-gru-1",
}
ENVIRONMENT = {"seed": 1, "keras": "3", "resumed": [{"seed": 1}]}
SMALL = ["cell.name=gru", "train.steps=20", "train.batch_size=8"]
OF_TASKS = {
    "copying": [],
    "ptb": ["task.bptt_steps=6"],
    "babi": ["task.train_examples=40", "task.validation_examples=20", "task.test_examples=20"],
}
CONFIGS = [
    config.to_yaml(config.build(task, [*SMALL, *settings])).encode()
    for task, settings in OF_TASKS.items()
]
LINES = "".join(json.dumps({**RECORD, "step": step}) + "\n" for step in (10, 20)).encode()


def as_bytes(structures):
    return structures.map(lambda content: json.dumps(content).encode())


records = strategies.replaced(RECORD)
metrics = (
    strategies.changed([LINES])
    | st.lists(records, max_size=3).map(
        lambda lines: b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    )
    | st.sampled_from([b"", b"\xff\n", b"[" * 10**5, b"1\n[]\nnull\n", b"9" * 5000, bytes(1000)])
)
summaries = (
    as_bytes(strategies.replaced(SUMMARY))
    | strategies.changed([json.dumps(SUMMARY).encode()])
    | st.sampled_from([b"", b"{}", b"[]", b"[" * 10**5, b'{"steps": 20}', b'{"a": ' * 5000])
)


def run_folder(place):
    path = place / "run"
    path.mkdir()
    (path / "config.yaml").write_bytes(CONFIGS[0])
    return RunDir(path)


@fuzz(fast=100, slow=5000, content=metrics, step=st.integers(0, 30))
def test_invalid_records_are_skipped_and_the_others_kept(place, content, step):
    folder = run_folder(place)
    (folder.path / "metrics.jsonl").write_bytes(content + b"\n" + LINES)
    found = attempt(folder.records, around=place)
    assert found[-2:] == [{**RECORD, "step": 10}, {**RECORD, "step": 20}]
    folder.rewind_records(step)
    assert folder.records() == [record for record in found if record["step"] <= step]


@fuzz(fast=100, slow=5000, content=summaries)
def test_accepted_summary_can_be_shown(place, content):
    folder = run_folder(place)
    (folder.path / "summary.json").write_bytes(content)
    found = attempt(folder.summary, around=place)
    if found is not None:
        Console(file=io.StringIO()).print(result_tables.result(Summary.read(found).to_dict()))


@fuzz(fast=40, slow=3000, content=as_bytes(strategies.replaced(ENVIRONMENT)))
def test_run_resumes_with_any_environment_file(place, content):
    folder = run_folder(place)
    (folder.path / "environment.json").write_bytes(content)
    folder.begin({"seed": 2}, finished=False)
    found = json.loads((folder.path / "environment.json").read_bytes())
    assert found.get("resumed", [found])[-1] == {"seed": 2}


FILES = {
    "config.yaml": strategies.changed(CONFIGS) | st.sampled_from(CONFIGS),
    "metrics.jsonl": metrics,
    "summary.json": summaries,
    "environment.json": as_bytes(strategies.replaced(ENVIRONMENT)),
    "vocabulary.json": as_bytes(strategies.replaced(OF_STORIES) | strategies.replaced(OF_A_TEXT)),
    "checkpoints": st.binary(max_size=10),
}
COMMANDS = (
    ["train", "--resume", "run"],
    ["train", "--resume", "run", "--steps", "30", "--json"],
    ["eval", "run"],
    ["eval", "run", "--split", "validation", "--examples", "2", "--checkpoint", "last"],
    ["generate", "run", "--prompt", "ab"],
    ["plot", "run", "--metric", "nothing"],
    ["compare", "run", "--json"],
    ["runs", "run", "--json"],
    ["report", "run", "--markdown"],
)
folders = st.fixed_dictionaries({}, optional={n: st.tuples(c, kinds) for n, c in FILES.items()})


@fuzz(
    fast=80,
    slow=3000,
    config_=st.sampled_from(CONFIGS),
    files=folders,
    command=st.sampled_from(COMMANDS),
)
def test_every_command_accepts_a_run_directory_or_reports_one_line(place, config_, files, command):
    path = place / "run"
    path.mkdir()
    for name, (content, kind) in files.items():
        put(path / name, content, kind)
    put(path / "config.yaml", config_)
    rum(*command, around=place, may_write=["run"])
    assert not (place / strategies.SENTINEL).exists()


@fuzz(fast=5, slow=100, content=metrics, summary=summaries, over=st.sampled_from(["steps", "time"]))
def test_curves_are_drawn_or_rejected(place, content, summary, over):
    folder = run_folder(place)
    (folder.path / "metrics.jsonl").write_bytes(LINES + content)
    (folder.path / "summary.json").write_bytes(summary)
    rum("plot", "run", "--out=x.svg", "--over", over, around=place, may_write=["x.svg"])


def test_a_link_in_place_of_the_metrics_is_replaced_and_not_followed(tmp_path):
    folder = run_folder(tmp_path)
    (tmp_path / "mine").write_text("mine")
    for name in ("metrics.jsonl", "summary.json", "environment.json"):
        (folder.path / name).symlink_to("../mine")
    folder.append_record(RECORD)
    folder.begin({"seed": 1}, finished=True)
    folder.write_json("summary.json", {})
    assert (tmp_path / "mine").read_text() == "mine"


def test_linked_checkpoints_directory_is_rejected(tmp_path):
    folder = run_folder(tmp_path)
    folder.checkpoints.path.symlink_to(tmp_path)
    with pytest.raises(ConfigError, match="checkpoints is a link"):
        RunDir.open(folder.path)
