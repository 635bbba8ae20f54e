"""The tests of this folder once more, on JAX: the cells are the same on every backend."""

import importlib.util
import pathlib

import pytest

from tests.other_backend import pytest_on

from .gradients import BACKEND

HERE = pathlib.Path(__file__).resolve().parent


pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed"),
    pytest.mark.skipif(BACKEND == "jax", reason="the tests run on JAX already"),
]


def test_cells_and_their_fused_loops_agree_with_the_original_on_jax():
    # What most needs an engine of its own, as few programs; the slow test runs everything.
    golden, extremes = HERE / "test_golden.py", HERE / "test_layer_extremes.py"
    pytest_on(
        "jax",
        "-n=0",
        # Those of ARUM and of the Fast-Slow RNN take the fused loop.
        f"{golden}::test_the_gradients_are_those_of_the_original[arum_ln-float64]",
        f"{golden}::test_the_gradients_are_those_of_the_original[fs_rum-float64]",
        f"{golden}::test_the_rotation_of_vectors_is_that_of_the_original[rotate_8]",
        f"{extremes}::test_an_empty_batch_goes_through_the_fused_loop[rum]",
        f"{extremes}::test_integers_are_inputs_of_the_fused_loop",
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_cells_pass_all_their_tests_on_jax():
    elsewhere = [
        HERE.parent / "analysis" / "test_cell_trace.py",
        HERE.parent / "analysis" / "test_rotation_properties.py",
        HERE.parent / "export" / "test_tf1_weights.py",
    ]
    pytest_on("jax", HERE, *elsewhere, f"--ignore={__file__}")
