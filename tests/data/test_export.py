import io
import json

import numpy as np
import pytest

from rumcli.data import copying, export, recall

COUNT = 2500  # more than two chunks


def exported(task, name):
    file = io.BytesIO()
    export.write(export.Examples(task, 3, "test", COUNT, 6), name, file)
    return file.getvalue()


def test_npz_holds_the_examples_that_training_would_see():
    with np.load(io.BytesIO(exported("copying", "npz")), allow_pickle=False) as archive:
        expected = copying.examples(3, "test", 0, COUNT, 6)
        assert sorted(archive.files) == ["inputs", "targets"]
        assert np.array_equal(archive["inputs"], expected.inputs)
        assert np.array_equal(archive["targets"], expected.targets)


def test_jsonl_has_one_example_a_line():
    lines = exported("recall", "jsonl").decode().splitlines()
    expected = recall.examples(3, "test", 0, COUNT, 6)
    assert len(lines) == COUNT
    assert json.loads(lines[-1]) == {
        "inputs": expected.inputs[-1].tolist(),
        "answers": int(expected.answers[-1]),
    }


@pytest.mark.parametrize("task", ["copying", "recall"])
def test_txt_has_inputs_a_tab_and_targets(task):
    lines = exported(task, "txt").decode().splitlines()
    inputs, targets = lines[0].split("\t")
    assert len(lines) == COUNT
    assert len(inputs.split()) == {"copying": 26, "recall": 9}[task]
    assert len(targets.split()) == {"copying": 26, "recall": 1}[task]
