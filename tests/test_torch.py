"""Some tests once more, on PyTorch, where it is installed. A weekly job runs more of them there."""

import importlib.util

import keras
import pytest

from tests.other_backend import pytest_on

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is missing"),
    pytest.mark.skipif(keras.backend.backend() == "torch", reason="the tests run on PyTorch"),
]


def test_cells_train_and_resume_on_torch():
    trainer = "tests/training/test_trainer.py"
    pytest_on(
        "torch",
        "-n=0",
        "tests/cells/test_golden.py",
        # Dropout draws from PyTorch's global generator, unless it has a seed.
        f"{trainer}::test_aborted_run_resumes_bit_exactly[copying-gru-13-10]",
    )
