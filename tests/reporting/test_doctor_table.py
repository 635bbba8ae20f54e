import copy

import pytest

from rumcli.reporting import doctor_table
from tests.rendering import render

FOUND = {
    "works": True,
    "problem": None,
    "versions": {"rum": "0.1.0", "python": "3.11.7", "keras": None},
    "extras": [
        {"extra": "sweep", "package": "optuna", "version": None, "install": "X 'rumcli[sweep]'"}
    ],
    "cores": {"machine": 64, "usable": 8, "quota": 1.5},
    "memory": {"total": 64_000_000_000, "limit": 4_000_000_000, "available": None},
    "allocator": {"keeps_freed": False, "reason": "the environment sets MALLOC_ARENA_MAX"},
    "backend": {
        "name": "tensorflow",
        "devices": ["CPU:0", "GPU:0"],
        "accelerators": ["NVIDIA H200"],
        "threads": {"intra_op": 0, "inter_op": 2},
    },
    "fused": [
        {"cell": "rum", "fused": True, "reason": None},
        {"cell": "eunn", "fused": False, "reason": "there is none for EUNNCell"},
    ],
    "speed": {
        "case": {"steps": 50, "batch": 32, "units": 64},
        "results": [
            {"cell": "gru", "steps_per_second": 37.4, "spread": 0.2, "first_step_seconds": 2.41}
        ],
    },
}


@pytest.mark.parametrize(
    "expected",
    [
        "keras        │ not installed",
        "not installed; optional: X 'rumcli[sweep]'",
        "8 of 64, time of 1.5",
        "64.0 GB in all, 4.0 GB allowed",
        "as the system does it: the environment sets MALLOC_ARENA_MAX",
        "CPU:0, GPU:0",
        "NVIDIA H200",
        "automatic in an operation, 2 between them",
        "loop, rum    │ fused ",
        "loop, eunn   │ plain; fused: there is none for EUNNCell",
        "37 steps/s ± 10%, the first one after 2.4 s",
    ],
)
def test_table_has_every_entry(expected):
    assert expected in render(doctor_table.examination(FOUND), 200)


def test_table_fits_60_columns_without_truncation():
    lines = render(doctor_table.examination(FOUND), 60).splitlines()
    assert max(map(len, lines)) <= 60
    text = "".join(line.split("│")[2].strip() for line in lines if line.count("│") == 3)
    expected = "as the system does it: the environment sets MALLOC_ARENA_MAX"
    assert expected.replace(" ", "") in text.replace(" ", "")


def test_failing_backend_is_reported_beside_the_rest():
    broken = {**copy.deepcopy(FOUND), "problem": "no module [jax]", "backend": None}
    text = render(doctor_table.examination({**broken, "fused": None, "speed": None}), 200)
    assert "FAILED: no module [jax]" in text
    assert "8 of 64" in text
