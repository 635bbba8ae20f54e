"""Tables of `rum bench` and `rum doctor`."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from rumcli.reporting import formatting

_AXES = {"steps": "T", "units": "H"}

Row = tuple[str, Text]


def bench_case(point: dict[str, Any]) -> Table:
    """Show the timings of one size.

    Args:
        point: An entry of the document's `cases`.
    """
    table = Table(title=_title(point), title_justify="left", caption_justify="left")
    table.caption = f"ratio to {point['reference']}; ± half the interquartile range"
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
            _memory_table(result["peak_memory_bytes"]),
            f"{result['first_step_seconds']:.1f} s",
        )
    return table


def bench_backends(point: dict[str, Any]) -> Table:
    """Show one size on several backends, grouped by cell, with two columns of ratios.

    Args:
        point: An entry of the document's `cases`.
    """
    results = point["results"]
    first = results[0]["backend"]
    with_memory = any(result["peak_memory_bytes"] for result in results)
    table = Table(title=_title(point), title_justify="left", caption_justify="left")
    table.caption = (
        f"ratio to the faster {point['case']['reference']} on the same backend, and to "
        f"{point['reference']} on {first}; ± half the interquartile range"
    )
    table.add_column("cell", overflow="fold")
    table.add_column("backend", no_wrap=True)
    for column in ("ms per step", "±", "ratio", f"to {first}"):
        table.add_column(column, justify="right")
    if with_memory:
        table.add_column("memory", justify="right", no_wrap=True)
    # Sorting is stable: cells keep the order in which they were first measured.
    order = {subject: n for n, subject in enumerate(dict.fromkeys(r["subject"] for r in results))}
    for result in sorted(results, key=lambda result: order[result["subject"]]):
        table.add_row(
            result["subject"],
            result["backend"],
            _milliseconds(result["median_seconds"]),
            f"{50 * result['spread']:.0f}%",
            _ratio(result["ratio"]),
            _ratio(result["reference_ratio"]),
            *([_memory_table(result["peak_memory_bytes"])] if with_memory else []),
        )
    return table


def bench_series(points: Sequence[dict[str, Any]]) -> Table:
    """Show the duration of a step as a function of one size.

    Args:
        points: Entries of the document's `bench_series` that have the same axis.
    """
    axis = points[0]["axis"]
    size = points[0]["case"]
    fixed = f"H = {size['units']}" if axis == "steps" else f"T = {size['steps']}"
    title = f"ms per step over {_AXES[axis]}, at {fixed}, B = {size['batch']}"
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.caption = "in parentheses: µs per time step and sample"
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
        memory = [
            _memory_table(results[s]["peak_memory_bytes"]) for s in subjects if s in with_memory
        ]
        table.add_row(str(point["case"][axis]), *times, *memory)
    return table


def bench_training(paces: Sequence[dict[str, Any]]) -> Table:
    """Show the overhead of a training run beyond its steps.

    Args:
        paces: The document's `bench_training` section.
    """
    table = Table(title="rum train compared with the bare step", title_justify="left")
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


def _memory_table(size: int | None) -> str:
    return "" if size is None else f"{size / 1e9:.2f} GB"


def examination(diagnosis: dict[str, Any]) -> Table:
    """Show the installed components and their problems.

    Args:
        diagnosis: Document of `rum doctor --json`.
    """
    caption = _caption(diagnosis)
    table = Table(title="rum doctor", title_justify="left", show_header=False, caption=caption)
    table.caption_justify = "left"
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for section in _sections(diagnosis):
        for row in section:
            table.add_row(*row)
        table.add_section()
    return table


def to_markdown(diagnosis: dict[str, Any]) -> str:
    """Return the same rows as a Markdown table, for an issue on GitHub.

    Args:
        diagnosis: Document of `rum doctor --json`.
    """
    rows = [row for section in _sections(diagnosis) for row in section]
    cells = [(name, value.plain.replace("|", "\\|").replace("\n", " ")) for name, value in rows]
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in cells)]
    caption = _caption(diagnosis)
    return "\n".join([*lines, *([] if caption is None else ["", caption])])


def _sections(diagnosis: dict[str, Any]) -> Iterator[list[Row]]:
    """Yield the rows of each section."""
    yield [
        *((name, _version(version)) for name, version in diagnosis["versions"].items()),
        *((extra["package"], _extra(extra)) for extra in diagnosis["extras"]),
    ]
    yield [
        ("cores", Text(_cores(diagnosis["cores"]))),
        ("memory", Text(_memory(diagnosis["memory"]))),
        ("freed memory", Text(_allocator(diagnosis["allocator"]))),
    ]
    if diagnosis["problem"] is not None:
        yield [("backend", Text(f"FAILED: {diagnosis['problem']}", style="red"))]
        return
    yield [*_backend(diagnosis["backend"]), *map(_loop, diagnosis["fused"])]
    if diagnosis["speed"] is not None:
        results = diagnosis["speed"]["results"]
        yield [(f"speed, {result['cell']}", Text(_pace(result))) for result in results]


def _caption(diagnosis: dict[str, Any]) -> str | None:
    if diagnosis["speed"] is None or diagnosis["problem"] is not None:
        return None
    case = diagnosis["speed"]["case"]
    return (
        f"training steps of T = {case['steps']}, B = {case['batch']}, H = {case['units']}; GRU is "
        "that of Keras; rum bench measures more"
    )


def _version(version: str | None) -> Text:
    return Text(version) if version else Text("not installed", style="red")


def _extra(extra: dict[str, Any]) -> Text:
    return Text(extra["version"] or f"not installed; optional: {extra['install']}")


def _loop(loop: dict[str, Any]) -> Row:
    verdict = Text("fused", "green") if loop["fused"] else Text(f"plain; fused: {loop['reason']}")
    return f"loop, {loop['cell']}", verdict


def _backend(backend: dict[str, Any]) -> Iterator[Row]:
    yield "backend", Text(backend["name"], style="green")
    yield "devices", Text(", ".join(backend["devices"]))
    if backend["accelerators"]:
        yield "accelerators", Text(", ".join(formatting.each_once(backend["accelerators"])))
    if (threads := backend["threads"]) is not None:
        intra, inter = (count or "automatic" for count in threads.values())
        yield "threads", Text(f"{intra} intra-op, {inter} inter-op")


def _cores(cores: dict[str, Any]) -> str:
    shown = f"{cores['usable']} of {cores['machine']}"
    return shown if cores["quota"] is None else f"{shown}, CPU quota {cores['quota']:g}"


def _memory(memory: dict[str, int | None]) -> str:
    parts = [
        f"{_gigabytes(memory[key])} {noun}"
        for key, noun in (("total", "total"), ("limit", "allowed"), ("available", "available"))
        if memory[key] is not None
    ]
    return ", ".join(parts) or "unknown"


def _gigabytes(size: int | None) -> str:
    return f"{(size or 0) / 1e9:.1f} GB"


def _allocator(state: dict[str, Any]) -> str:
    if state["keeps_freed"]:
        return "kept for the next step"
    return f"not kept: {state['reason']}"


def _pace(result: dict[str, Any]) -> str:
    return (
        f"{result['steps_per_second']:.0f} steps/s ± {50 * result['spread']:.0f}%, the first one "
        f"after {result['first_step_seconds']:.1f} s"
    )
