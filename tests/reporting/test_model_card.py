"""Model cards: metrics of the exported weights, hostile names, nothing private."""

import re

import markdown
import pytest
import yaml

from rumcli.json_schemas.analysis import Export
from rumcli.reporting import model_card
from rumcli.training.run_dir import RunDir
from tests import small
from tests.runs import write_summary

EXPORT = {
    "task": "copying",
    "cell": "gru",
    "format": "keras",
    "path": "exported",
    "bytes": 1000,
    "inputs": [{"name": "symbols", "shape": [None, 24], "dtype": "int32"}],
    "outputs": [{"name": "logits", "shape": [None, 24, 9], "dtype": "float32"}],
    "examples_compared": 10,
    "largest_difference": 0.0,
    "tolerance": 0.1,
}


def exported(folder, step=10, **changes):
    return Export(run=str(folder.path), weights_of_step=step, **{**EXPORT, **changes})


def front_matter(card):
    return yaml.safe_load(card.split("---\n")[1])


@pytest.fixture
def folder(tmp_path):
    made = RunDir.create(tmp_path / "mine", small.run_config())
    write_summary(made, 0.125, loss=0.125)
    made.append_record({"step": 20, "loss": 1.0, "val_loss": 0.5, "seconds": 1.0})
    return made


def test_metrics_are_those_of_the_exported_weights(folder):
    card = model_card.card(folder, exported(folder))
    (index,) = front_matter(card)["model-index"]
    assert index["name"] == "mine"
    assert index["results"][0]["metrics"] == [{"type": "loss", "name": "loss", "value": 0.125}]
    assert index["results"][0]["dataset"]["split"] == "test"
    assert "| loss | 0.1250 | 1.000 (chance) |" in card
    # The summary is of step 10.
    (index,) = front_matter(model_card.card(folder, exported(folder, step=20)))["model-index"]
    assert index["results"][0]["metrics"] == [{"type": "loss", "name": "loss", "value": 0.5}]
    assert index["results"][0]["dataset"]["split"] == "validation"
    card = model_card.card(folder, exported(folder, step=15))
    assert "model-index" not in front_matter(card)
    assert "These weights have not been evaluated." in card


def test_the_card_describes_architecture_data_training_and_citation(folder):
    card = model_card.card(folder, exported(folder))
    for text in (
        "| cell.units | 8 |",
        "| input symbols | \\[any, 24\\] int32 |",
        "| task.delay | 4 |",
        "Source: arXiv:1511.06464",
        "rum train --preset config.yaml\n",
        "@article{dangovski2017rotational,",
        "| train.steps | 20 |",
    ):
        assert text in card


def test_the_front_matter_is_one_of_the_hub(folder):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    data = hub.ModelCard(model_card.card(folder, exported(folder))).data
    assert (data.library_name, data.model_name) == ("keras", "mine")
    (result,) = data.eval_results
    assert (result.metric_type, result.metric_value) == ("loss", 0.125)


@pytest.mark.parametrize(
    "name",
    [
        "a|b <img src=x onerror=alert(1)> [link](http://x) `code` _$ #",
        "---\nlicense: [mit",
        b"\xff".decode(errors="surrogateescape"),
    ],
)
def test_names_are_text_and_nothing_else(tmp_path, name):
    folder = RunDir.create(tmp_path / name, small.run_config())
    write_summary(folder, 0.125)
    card = model_card.card(folder, exported(folder))
    card.encode()
    assert set(front_matter(card)) == {"library_name", "tags", "metrics", "model-index"}
    body = card.partition("---\n")[2].partition("---\n")[2]
    page = markdown.markdown(body, extensions=["tables", "fenced_code"])
    assert not re.search(r"<(?!/?(?:h1|h2|p|table|thead|tbody|tr|th|td|pre|code)\b)", page)
    assert page.count("<h1>") == 1


def test_paths_of_the_machine_and_loggers_are_left_out(tmp_path):
    place = small.write_text(tmp_path / "private" / "diary")
    run = small.run_config("ptb", task__data=str(place), train__loggers=["csv"])
    folder = RunDir.create(tmp_path / "mine", run)
    folder.write_json("vocabulary.json", {"symbols": [97, 98], "source": str(place)})
    found = model_card.files(folder, exported(folder, task="ptb"))
    assert set(found) == {"README.md", "config.yaml", "vocabulary.json"}
    for text in found.values():
        assert "private" not in text
    assert "  data: diary\n" in found["config.yaml"]
    assert "loggers: []" in found["config.yaml"]
    assert "rum train --preset config.yaml --data PATH" in found["README.md"]
