import io

import pytest

from rumcli.reporting import bench_plot, bench_tables
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
    "yardstick": "gru",
}
POINT = {
    "case": CASE,
    "yardstick": "gru",
    "yardsticks": {"tensorflow": "gru"},
    "results": RESULTS,
}
ON_JAX = [
    {**result, "backend": "jax", "ratio": 0.5, "reference_ratio": 2.25} for result in RESULTS[:1]
]
ENGINES = {
    **POINT,
    "yardsticks": {"tensorflow": "gru", "jax": "gru"},
    "results": [*RESULTS, *ON_JAX],
}
SERIES = [{"axis": "steps", **POINT, "case": {**CASE, "steps": steps}} for steps in (100, 200, 500)]
DOCUMENT = {"cases": [POINT] * 3, "series": SERIES}


def test_a_size_is_shown_with_ratios_and_units():
    text = render(bench_tables.case(POINT), 100)
    assert "copying: T = 220, B = 128, H = 100, 10 inputs" in text
    row = next(line for line in text.splitlines() if line.startswith("│ rum "))
    assert [part.strip() for part in row.strip("│").split("│")] == [
        *("rum", "24,109", "52.0", "2%", "0.52", "1.07 GB", "2.4 s")
    ]
    assert "1,500" in text
    assert "ratio to gru" in text


def test_a_narrow_terminal_breaks_names_but_not_numbers():
    text = render(bench_tables.case(POINT), 66)
    assert max(map(len, text.splitlines())) <= 66
    assert "24,109" in text
    assert "1.07 GB" in text


def test_engines_are_shown_in_one_table_that_fits_a_narrow_terminal():
    without_memory = [{**result, "peak_memory_bytes": None} for result in ENGINES["results"]]
    text = render(bench_tables.engines({**ENGINES, "results": without_memory}), 60)
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
    assert "1.07 GB" in render(bench_tables.engines(ENGINES), 100)


def test_a_series_is_shown_over_its_axis():
    text = render(bench_tables.series(SERIES), 100)
    assert "ms per step over T, at H = 100, B = 128" in text
    row = next(line for line in text.splitlines() if line.startswith("│ 100 "))
    assert "52.0 (4.06)" in row  # 52 ms / (100 · 128)
    assert "1.07 GB" in row


def test_a_run_is_shown_beside_its_bare_step():
    pace = {"task": "recall", "cell": "rum", "bare": [0.008], "runs": [0.0082], "ratio": 1.025}
    text = render(bench_tables.training([pace]), 100)
    row = next(line for line in text.splitlines() if line.startswith("│ recall"))
    assert [part.strip() for part in row.strip("│").split("│")] == [
        *("recall", "rum", "8.0", "8.2", "1.02")
    ]


@pytest.mark.parametrize(("kind", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_plot_writes_an_image(kind, begin):
    for document in (DOCUMENT, {"cases": [ENGINES], "series": []}):
        file = io.BytesIO()
        bench_plot.bench(document, file, kind)
        assert file.getvalue().startswith(begin)
