""""""

import copy
import io

import pytest

from rumcli.reporting import measurement_tables, plots
from tests.rendering import render

RESULTS = [
    {
        "subject": subject,
        "backend": "tensorflow",
        "cell": subject.split(",")[0],
        "options": {},
        "jit": None,
        "parameters": 24109,
        "first_step_seconds": 2.44,
        "samples_seconds": [seconds],
        "median_seconds": seconds,
        "spread": 0.05,
        "ratio": seconds / 0.1,
        "reference_ratio": seconds / 0.1,
        "peak_memory_bytes": memory,
    }
    for subject, seconds, memory in (
        ("rum", 0.052, 1_070_000_000),
        ("rum, layer norm and zoneout", 1.5, None),
        ("gru", 0.1, None),
    )
]
CASE = {
    "name": "copying",
    "steps": 220,
    "batch": 128,
    "features": 10,
    "units": 100,
    "reference": "gru",
}
POINT = {
    "case": CASE,
    "reference": "gru",
    "references": {"tensorflow": "gru"},
    "results": RESULTS,
}
ON_JAX = [
    {**result, "backend": "jax", "ratio": 0.5, "reference_ratio": 2.25} for result in RESULTS[:1]
]
ENGINES = {
    **POINT,
    "references": {"tensorflow": "gru", "jax": "gru"},
    "results": [*RESULTS, *ON_JAX],
}
SERIES = [{"axis": "steps", **POINT, "case": {**CASE, "steps": steps}} for steps in (100, 200, 500)]
DOCUMENT = {"cases": [POINT] * 3, "series": SERIES}

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
        {"cell": "eunn", "fused": False, "reason": "EUNNCell has no fused loop"},
    ],
    "speed": {
        "case": {"steps": 50, "batch": 32, "units": 64},
        "results": [
            {"cell": "gru", "steps_per_second": 37.4, "spread": 0.2, "first_step_seconds": 2.41}
        ],
    },
}


def test_a_size_is_shown_with_ratios_and_units():
    text = render(measurement_tables.bench_case(POINT), 100)
    assert "copying: T = 220, B = 128, H = 100, 10 inputs" in text
    row = next(line for line in text.splitlines() if line.startswith("│ rum "))
    assert [part.strip() for part in row.strip("│").split("│")] == [
        *("rum", "24,109", "52.0", "2%", "0.52", "1.07 GB", "2.4 s")
    ]
    assert "1,500" in text
    assert "ratio to gru" in text


def test_a_narrow_terminal_breaks_names_but_not_numbers():
    text = render(measurement_tables.bench_case(POINT), 66)
    assert max(map(len, text.splitlines())) <= 66
    assert "24,109" in text
    assert "1.07 GB" in text


def test_backends_are_shown_in_one_table_that_fits_a_narrow_terminal():
    without_memory = [{**result, "peak_memory_bytes": None} for result in ENGINES["results"]]
    text = render(measurement_tables.bench_backends({**ENGINES, "results": without_memory}), 60)
    assert max(map(len, text.splitlines())) <= 60
    rows = [[p.strip() for p in line.split("│")[1:-1]] for line in text.splitlines()]
    named = [row for row in rows if len(row) == 6 and row[1]]
    # The rows of a cell stand together.
    assert named[:2] == [
        ["rum", "tensorflow", "52.0", "2%", "0.52", "0.52"],
        ["rum", "jax", "52.0", "2%", "0.50", "2.25"],
    ]
    assert named[2][2:] == ["1,500", "2%", "15.00", "15.00"]
    assert "GB" not in text
    assert "1.07 GB" in render(measurement_tables.bench_backends(ENGINES), 100)


def test_a_series_is_shown_over_its_axis():
    text = render(measurement_tables.bench_series(SERIES), 100)
    assert "ms per step over T, at H = 100, B = 128" in text
    row = next(line for line in text.splitlines() if line.startswith("│ 100 "))
    assert "52.0 (4.06)" in row  # 52 ms / (100 · 128)
    assert "1.07 GB" in row


def test_a_run_is_shown_beside_its_bare_step():
    pace = {"task": "recall", "cell": "rum", "bare": [0.008], "runs": [0.0082], "ratio": 1.025}
    text = render(measurement_tables.bench_training([pace]), 100)
    row = next(line for line in text.splitlines() if line.startswith("│ recall"))
    assert [part.strip() for part in row.strip("│").split("│")] == [
        *("recall", "rum", "8.0", "8.2", "1.02")
    ]


@pytest.mark.parametrize(("kind", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_plot_writes_an_image(kind, begin):
    for document in (DOCUMENT, {"cases": [ENGINES], "series": []}):
        file = io.BytesIO()
        plots.draw_benchmark(document, file, kind)
        assert file.getvalue().startswith(begin)


@pytest.mark.parametrize(
    "expected",
    [
        "keras        │ not installed",
        "not installed; optional: X 'rumcli[sweep]'",
        "8 of 64, CPU quota 1.5",
        "64.0 GB total, 4.0 GB allowed",
        "not kept: the environment sets MALLOC_ARENA_MAX",
        "CPU:0, GPU:0",
        "NVIDIA H200",
        "automatic intra-op, 2 inter-op",
        "loop, rum    │ fused ",
        "loop, eunn   │ plain; fused: EUNNCell has no fused loop",
        "37 steps/s ± 10%, the first one after 2.4 s",
    ],
)
def test_table_has_every_entry(expected):
    assert expected in render(measurement_tables.examination(FOUND), 200)


def test_table_fits_60_columns_without_truncation():
    lines = render(measurement_tables.examination(FOUND), 60).splitlines()
    assert max(map(len, lines)) <= 60
    text = "".join(line.split("│")[2].strip() for line in lines if line.count("│") == 3)
    expected = "not kept: the environment sets MALLOC_ARENA_MAX"
    assert expected.replace(" ", "") in text.replace(" ", "")


def test_failing_backend_is_reported_beside_the_rest():
    broken = {**copy.deepcopy(FOUND), "problem": "no module [jax]", "backend": None}
    text = render(measurement_tables.examination({**broken, "fused": None, "speed": None}), 200)
    assert "FAILED: no module [jax]" in text
    assert "8 of 64" in text
