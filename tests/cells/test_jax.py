"""The tests of this folder once more, on JAX: the cells are the same on every backend."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

from .gradients import BACKEND

HERE = pathlib.Path(__file__).resolve().parent


pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed"),
    pytest.mark.skipif(BACKEND == "jax", reason="the tests run on JAX already"),
]


def test_cells_and_their_fused_loops_agree_with_the_original_on_jax():
    # What most needs an engine of its own, as few programs; the slow test runs everything.
    golden, extremes = HERE / "test_golden.py", HERE / "test_layer_extremes.py"
    pytest_on_jax(
        "-n=0",
        # Those of ARUM and of the Fast-Slow RNN take the fused loop.
        f"{golden}::test_the_gradients_are_those_of_the_original[arum_ln-float64]",
        f"{golden}::test_the_gradients_are_those_of_the_original[fs_rum-float64]",
        f"{golden}::test_the_outputs_of_goru_are_those_of_the_original[goru_8]",
        f"{golden}::test_the_rotation_of_vectors_is_that_of_the_original[rotate_8]",
        f"{HERE / 'test_fused_chain.py'}::test_second_order_gradients_are_refused_in_words",
        f"{extremes}::test_an_empty_batch_goes_through_the_fused_loop[rum]",
        f"{extremes}::test_integers_are_inputs_of_the_fused_loop",
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_cells_pass_all_their_tests_on_jax():
    pytest_on_jax(HERE, f"--ignore={__file__}")


def pytest_on_jax(*arguments):
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1"}
    # Nearly all of the time goes into compiling small functions that run once.
    environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    # Of the outer pytest's workers this one must know nothing.
    environment = {k: v for k, v in environment.items() if not k.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", *map(str, arguments)]

    result = subprocess.run(
        command,
        cwd=HERE.parents[1],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=850,
    )

    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]
    assert " passed" in result.stdout
