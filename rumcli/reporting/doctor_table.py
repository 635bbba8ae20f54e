"""Table of `rum doctor`."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from rumcli.reporting import formatting


def examination(found: dict[str, Any]) -> Table:
    """Show the installed components and their problems.

    Args:
        found: Document of `rum doctor --json`.
    """
    table = Table(title="rum doctor", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, version in found["versions"].items():
        table.add_row(name, version or "[red]not installed[/]")
    for extra in found["extras"]:
        missing = f"not installed; optional: {extra['install']}"
        # `Text`, because Rich would parse "rumcli[sweep]" as markup.
        table.add_row(extra["package"], Text(extra["version"] or missing))
    table.add_section()
    table.add_row("cores", _cores(found["cores"]))
    table.add_row("memory", _memory(found["memory"]))
    table.add_row("freed memory", _allocator(found["allocator"]))
    table.add_section()
    if found["problem"] is not None:
        table.add_row("backend", Text(f"FAILED: {found['problem']}", style="red"))
        return table
    _add_backend(table, found["backend"])
    for one in found["fused"]:
        verdict = "[green]fused[/]" if one["fused"] else f"plain; fused: {one['reason']}"
        table.add_row(f"loop, {one['cell']}", verdict)
    if found["speed"] is None:
        return table
    table.add_section()
    for result in found["speed"]["results"]:
        table.add_row(f"speed, {result['cell']}", _pace(result))
    case = found["speed"]["case"]
    table.caption = (
        f"training steps of T = {case['steps']}, B = {case['batch']}, H = {case['units']}; GRU is "
        "Keras's; rum bench measures more"
    )
    table.caption_justify = "left"
    return table


def _add_backend(table: Table, backend: dict[str, Any]) -> None:
    table.add_row("backend", f"[green]{backend['name']}[/]")
    table.add_row("devices", Text(", ".join(backend["devices"])))
    if backend["accelerators"]:
        table.add_row("", Text(", ".join(formatting.each_once(backend["accelerators"]))))
    if (threads := backend["threads"]) is not None:
        intra, inter = (count or "automatic" for count in threads.values())
        table.add_row("threads", f"{intra} in an operation, {inter} between them")


def _cores(cores: dict[str, Any]) -> str:
    shown = f"{cores['usable']} of {cores['machine']}"
    return shown if cores["quota"] is None else f"{shown}, time of {cores['quota']:g}"


def _memory(memory: dict[str, int | None]) -> str:
    parts = [
        f"{_gigabytes(memory[key])} {what}"
        for key, what in (("total", "in all"), ("limit", "allowed"), ("available", "available"))
        if memory[key] is not None
    ]
    return ", ".join(parts) or "unknown"


def _gigabytes(size: int | None) -> str:
    return f"{(size or 0) / 1e9:.1f} GB"


def _allocator(state: dict[str, Any]) -> str:
    if state["keeps_freed"]:
        return "kept for the next step"
    return f"as the system does it: {state['reason']}"


def _pace(result: dict[str, Any]) -> str:
    return (
        f"{result['steps_per_second']:.0f} steps/s ± {50 * result['spread']:.0f}%, the first one "
        f"after {result['first_step_seconds']:.1f} s"
    )
