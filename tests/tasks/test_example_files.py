import io
import json
import re
from pathlib import Path

import numpy as np
import pytest

from rumcli.cli.app import main
from rumcli.tasks import example_files, registry
from rumcli.tasks.babi import stories as babi_stories

COUNT = 2500  # more than two chunks
PAGE = (Path(__file__).parents[2] / "docs/tasks.md").read_text("utf-8")


def exported(task, name):
    file = io.BytesIO()
    section = registry.configs()[task](delay=6)
    example_files.write(example_files.Examples(section, 3, "test", COUNT), name, file)
    return file.getvalue()


def examples(task):
    return registry.generate(registry.configs()[task](delay=6), 3, "test", 0, COUNT)


def test_npz_has_the_training_examples():
    with np.load(io.BytesIO(exported("copying", "npz")), allow_pickle=False) as archive:
        inputs, targets = examples("copying")
        assert sorted(archive.files) == ["inputs", "targets"]
        assert np.array_equal(archive["inputs"], inputs)
        assert np.array_equal(archive["targets"], targets)


def test_jsonl_has_one_example_a_line():
    lines = exported("recall", "jsonl").decode().splitlines()
    inputs, targets = examples("recall")
    assert len(lines) == COUNT
    assert json.loads(lines[-1]) == {
        "inputs": inputs[-1].tolist(),
        "targets": int(targets[-1]),
    }


@pytest.mark.parametrize("task", ["copying", "recall"])
def test_txt_has_inputs_a_tab_and_targets(task):
    lines = exported(task, "txt").decode().splitlines()
    inputs, targets = lines[0].split("\t")
    assert len(lines) == COUNT
    assert len(inputs.split()) == {"copying": 26, "recall": 9}[task]
    assert len(targets.split()) == {"copying": 26, "recall": 1}[task]


@pytest.mark.parametrize(
    ("command", "count"),
    [
        ("recall --count 2 --delay 6", 2),
        ("recall --count 2 --delay 6 --format txt", 2),
        ("copying --count 1 --delay 3", 1),
    ],
)
def test_documented_examples_match_the_command(command, count, capfdbinary):
    assert main(["gen-data", *command.split()]) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert len(lines) == count
    block = "".join(f"    {line}\n" for line in lines)
    assert f"`rum gen-data {command}`:\n\n{block}\n" in PAGE


@pytest.mark.parametrize("name", example_files.FORMATS)
def test_every_format_is_documented(name):
    assert f"**{name}.**" in PAGE


@pytest.mark.parametrize("task", ["copying", "recall"])
def test_documented_arrays_match_an_npz(task):
    rows = PAGE.partition(f"| {task} | `")[2].splitlines()[:2]
    with np.load(io.BytesIO(exported(task, "npz"))) as archive:
        for row, name in zip(rows, archive.files, strict=True):
            shape = row.partition("[")[2].partition("]")[0]
            lengths = {"n": COUNT, "T + 20": 26, "T + 3": 9}
            assert f"{name}`" in row
            assert archive[name].shape == tuple(lengths[part] for part in shape.split(", "))
            assert archive[name].dtype == np.int32


def test_the_documented_story_is_read():
    lines = [line[4:] for line in PAGE.splitlines() if re.match(r"    \d+ (The|How) ", line)]
    (story,) = babi_stories.parse_stories("\n".join(lines).encode(), "docs/tasks.md")
    assert story.questions == 1
