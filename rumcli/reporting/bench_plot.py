"""Plots of benchmarks, and labels escaped for matplotlib."""

from __future__ import annotations

from typing import IO, Any

from rumcli import atomic_io

# Color-blind-safe palette: Okabe and Ito 2008.
_COLORS = {"rum": "#0072B2", "arum": "#D55E00", "gru": "#666666", "lstm": "#AAAAAA"}
_AXES = {"steps": "T, time steps", "units": "H, units"}


def label(text: str) -> str:
    """Return a name escaped for matplotlib.

    Matplotlib starts a formula at `$` and omits labels that start with `_` from the legend.
    """
    text = atomic_io.readable(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def bench(document: dict[str, Any], file: IO[bytes], kind: str) -> None:
    """Draw a benchmark: ratios as bars for each size, and one line plot for each series.

    Args:
        document: Document of `rumcli.benchmark.json_report`.
        file: Binary file to write to.
        kind: `"png"`, `"svg"`, or another format that matplotlib supports.
    """
    from matplotlib.figure import Figure

    cases = document["cases"]
    axes = [axis for axis in _AXES if any(point["axis"] == axis for point in document["series"])]
    count = len(cases) + len(axes)
    figure = Figure(figsize=(4.6 * min(count, 3), 3.6 * -(-count // 3)), layout="constrained")
    places = figure.subplots(-(-count // 3), min(count, 3), squeeze=False).ravel()
    for place, point in zip(places, cases, strict=False):
        _bars(place, point)
    for place, axis in zip(places[len(cases) :], axes, strict=False):
        _curves(place, axis, [point for point in document["series"] if point["axis"] == axis])
    for place in places[count:]:
        place.set_visible(False)
    figure.savefig(file, format=kind, dpi=150)


def _bars(place: Any, point: dict[str, Any]) -> None:
    results = point["results"][::-1]
    ratios = [result["reference_ratio"] for result in results]
    colors = [_COLORS.get(result["cell"]) for result in results]
    has_several = len(point["yardsticks"]) > 1
    labels = [f"{r['subject']} ({r['backend']})" if has_several else r["subject"] for r in results]
    bars = place.barh(labels, ratios, color=colors)
    place.bar_label(bars, fmt="%.2f", padding=3)
    place.axvline(1.0, color="black", linewidth=0.8, linestyle=":")
    place.margins(x=0.18)
    size = point["case"]
    place.set_title(f"{size['name']}: T = {size['steps']}, H = {size['units']}")
    of = f" on {next(iter(point['yardsticks']))}" if has_several else ""
    place.set_xlabel(f"time of a training step, GRU{of} = 1")
    place.spines[["top", "right"]].set_visible(False)


def _curves(place: Any, axis: str, points: list[dict[str, Any]]) -> None:
    values = [point["case"][axis] for point in points]
    for number, result in enumerate(points[0]["results"]):
        times = [1e3 * point["results"][number]["median_seconds"] for point in points]
        place.plot(
            values, times, marker="o", label=result["subject"], color=_COLORS.get(result["cell"])
        )
    place.set_xscale("log")
    place.set_yscale("log")
    place.set_xticks(values, [str(value) for value in values])
    place.minorticks_off()
    place.set_xlabel(_AXES[axis])
    place.set_ylabel("ms per training step")
    place.set_title(f"cost over {axis}, B = {points[0]['case']['batch']}")
    place.legend(frameon=False)
    place.spines[["top", "right"]].set_visible(False)
