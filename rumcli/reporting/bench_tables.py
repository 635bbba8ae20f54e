"""Tables of a benchmark: one size on one or several backends, and a series of sizes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from rich.table import Table

_AXES = {"steps": "T", "units": "H"}


def case(point: dict[str, Any]) -> Table:
    """Show the timings of one size.

    Args:
        point: An entry of the document's `cases`.
    """
    table = Table(title=_title(point), title_justify="left", caption_justify="left")
    table.caption = f"ratio to {point['yardstick']}; ± half the distance of the quartiles"
    table.add_column("cell", overflow="fold")
    for column in ("weights", "ms per step", "±", "ratio", "memory", "first step"):
        table.add_column(column, justify="right", no_wrap=True)
    for result in point["results"]:
        table.add_row(
            result["subject"],
            f"{result['parameters']:,}",
            _milliseconds(result["median_seconds"]),
            f"{50 * result['spread']:.0f}%",
            _ratio(result["ratio"]),
            _memory(result["peak_memory_bytes"]),
            f"{result['first_step_seconds']:.1f} s",
        )
    return table


def engines(point: dict[str, Any]) -> Table:
    """Show one size on several backends, grouped by cell, with two columns of ratios.

    Args:
        point: An entry of the document's `cases`.
    """
    results = point["results"]
    first = results[0]["backend"]
    with_memory = any(result["peak_memory_bytes"] for result in results)
    table = Table(title=_title(point), title_justify="left", caption_justify="left")
    table.caption = (
        f"ratio to the faster {point['case']['yardstick']} of the same engine, and to "
        f"{point['yardstick']} on {first}; ± half the distance of the quartiles"
    )
    table.add_column("cell", overflow="fold")
    table.add_column("engine", no_wrap=True)
    for column in ("ms per step", "±", "ratio", f"to {first}"):
        table.add_column(column, justify="right")
    if with_memory:
        table.add_column("memory", justify="right", no_wrap=True)
    # Sorting is stable: cells keep the order in which they were first measured.
    order = {subject: n for n, subject in enumerate(dict.fromkeys(r["subject"] for r in results))}
    for result in sorted(results, key=lambda one: order[one["subject"]]):
        table.add_row(
            result["subject"],
            result["backend"],
            _milliseconds(result["median_seconds"]),
            f"{50 * result['spread']:.0f}%",
            _ratio(result["ratio"]),
            _ratio(result["reference_ratio"]),
            *([_memory(result["peak_memory_bytes"])] if with_memory else []),
        )
    return table


def series(points: Sequence[dict[str, Any]]) -> Table:
    """Show how the cost grows along one axis.

    Args:
        points: Entries of the document's `series` that have the same axis.
    """
    axis = points[0]["axis"]
    size = points[0]["case"]
    fixed = f"H = {size['units']}" if axis == "steps" else f"T = {size['steps']}"
    title = f"ms per step over {_AXES[axis]}, at {fixed}, B = {size['batch']}"
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.caption = "in brackets: µs per time step and sample"
    table.add_column(_AXES[axis], justify="right")
    subjects = [result["subject"] for result in points[0]["results"]]
    for subject in subjects:
        table.add_column(subject, justify="right", no_wrap=True)
    with_memory = {
        result["subject"]
        for point in points
        for result in point["results"]
        if result["peak_memory_bytes"]
    }
    for subject in (subject for subject in subjects if subject in with_memory):
        table.add_column(f"{subject}, memory", justify="right", no_wrap=True)
    for point in points:
        results = {result["subject"]: result for result in point["results"]}
        shared = point["case"]["steps"] * point["case"]["batch"]
        times = [
            f"{_milliseconds(r['median_seconds'])} ({1e6 * r['median_seconds'] / shared:.2f})"
            for r in results.values()
        ]
        memory = [_memory(results[s]["peak_memory_bytes"]) for s in subjects if s in with_memory]
        table.add_row(str(point["case"][axis]), *times, *memory)
    return table


def training(paces: Sequence[dict[str, Any]]) -> Table:
    """Show the overhead of a training run beyond its steps.

    Args:
        paces: The document's `training` section.
    """
    table = Table(title="rum train beside the bare step", title_justify="left")
    for column in ("task", "cell"):
        table.add_column(column)
    for column in ("bare, ms per step", "rum train", "ratio"):
        table.add_column(column, justify="right", no_wrap=True)
    for pace in paces:
        times = [_milliseconds(statistics.median(pace[key])) for key in ("bare", "runs")]
        table.add_row(pace["task"], pace["cell"], *times, f"{pace['ratio']:.2f}")
    return table


def _title(point: dict[str, Any]) -> str:
    size = point["case"]
    return (
        f"{size['name']}: T = {size['steps']}, B = {size['batch']}, H = {size['units']}, "
        f"{size['features']} inputs"
    )


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.1f}" if seconds < 1 else f"{1e3 * seconds:,.0f}"


def _ratio(ratio: float) -> str:
    style = "green" if ratio < 1 else ""
    return f"[{style}]{ratio:.2f}[/]" if style else f"{ratio:.2f}"


def _memory(size: int | None) -> str:
    return "" if size is None else f"{size / 1e9:.2f} GB"
