"""Into how many parts the samples are split."""

import os

import pytest

from tests.cells.gradients import BACKEND, needs_tensorflow

if BACKEND == "tensorflow":
    import tensorflow as tf

    from rumcli.cells.fused import tensorflow_custom_gradient

pytestmark = needs_tensorflow


@pytest.mark.parametrize(
    ("cores", "batch", "expected"),
    [(1, 128, 1), (2, 128, 2), (8, 128, 4), (2, 65, 1), (3, 128, 2), (3, 96, 3), (2, 20, 1)],
)
def test_cores_share_the_samples_equally_if_each_has_enough(cores, batch, expected, monkeypatch):
    monkeypatch.setattr(tensorflow_custom_gradient, "_cores", lambda: cores)
    assert tensorflow_custom_gradient._count(batch, 0) == expected


@pytest.mark.parametrize(
    ("cores", "batch", "units", "expected"),
    [
        (1, 128, 50, 1),
        (1, 128, 100, 2),
        (2, 128, 100, 2),  # already small enough
        (1, 128, 200, 8),
        (2, 128, 200, 8),
        (8, 128, 100, 8),  # more than with vectors alone
        (1, 128, 1000, 16),  # of 8 samples
        (2, 36, 200, 4),  # of 9
        (1, 125, 200, 5),  # of 25, since 5 would be too few
        (1, 127, 200, 1),  # not to be split
        (2, 1, 2000, 1),
    ],
)
def test_what_a_shard_carries_stays_small(cores, batch, units, expected, monkeypatch):
    monkeypatch.setattr(tensorflow_custom_gradient, "_cores", lambda: cores)
    assert tensorflow_custom_gradient._count(batch, 4 * units**2) == expected


@pytest.mark.parametrize(
    ("asked", "usable", "present", "expected"),
    [(3, {0, 5}, 64, 3), (0, {0, 5}, 64, 2), (0, set(), 64, 64), (0, set(), None, 1)],
)
def test_cores_are_those_asked_for_or_else_usable(asked, usable, present, expected, monkeypatch):
    threads = "get_intra_op_parallelism_threads"
    monkeypatch.setattr(tf.config.threading, threads, lambda: asked)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: usable, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: present)
    assert tensorflow_custom_gradient._cores() == expected
