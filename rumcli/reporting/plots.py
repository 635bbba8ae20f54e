"""Plots of learning curves and benchmarks."""

from __future__ import annotations

import functools
import io
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from rumcli import atomic_io
from rumcli.reporting import formatting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Color-blind-safe palette: Okabe and Ito 2008.
_BENCH_COLORS = {"rum": "#0072B2", "arum": "#D55E00", "gru": "#666666", "lstm": "#AAAAAA"}
_BENCH_AXES = {"steps": "T, time steps", "units": "H, units"}

# Color-blind-safe palette (Okabe and Ito 2008) without yellow, and without black, the text color.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_DASHES = ("-", "--", ":", "-.")
# Colors for text and frame, grid, and background.
_THEMES = {"light": ("#000000", "#DDDDDD", None), "dark": ("#E6EDF3", "#3D444D", "none")}
THEMES = tuple(_THEMES)
_AXES = {"steps": ("step", 1.0, "training steps"), "time": ("seconds", 60.0, "minutes")}
OVER = tuple(_AXES)
_AXES["length"] = ("length", 1.0, "length of the sequences")  # of evaluations after the training
_SPLITS = {"val": "validation", "test": "test"}  # by the prefix of a key
_HEIGHT = 0.045  # label height, as a fraction of the axis


def label(text: str) -> str:
    """Return a name escaped for matplotlib.

    Matplotlib starts a formula at `$` and omits labels that start with `_` from the legend.
    """
    text = atomic_io.readable(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def tidy(axes: Any) -> None:
    """Draw a light horizontal grid behind the data, and no frame at the top and right."""
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def draw_benchmark(document: dict[str, Any], file: IO[bytes], kind: str) -> None:
    """Draw a benchmark: ratios as bars for each size, and one line plot for each series.

    Args:
        document: Document of `rumcli.benchmark.cases`.
        file: Binary file to write to.
        kind: `"png"`, `"svg"`, or another format that matplotlib supports.
    """
    from matplotlib.figure import Figure

    cases = document["cases"]
    axes = [
        axis for axis in _BENCH_AXES if any(point["axis"] == axis for point in document["series"])
    ]
    count = len(cases) + len(axes)
    figure = Figure(figsize=(4.6 * min(count, 3), 3.6 * -(-count // 3)), layout="constrained")
    all_axes = figure.subplots(-(-count // 3), min(count, 3), squeeze=False).ravel()
    for place, point in zip(all_axes, cases, strict=False):
        _bars(place, point)
    for place, axis in zip(all_axes[len(cases) :], axes, strict=False):
        _curves(place, axis, [point for point in document["series"] if point["axis"] == axis])
    for place in all_axes[count:]:
        place.set_visible(False)
    figure.savefig(file, format=kind, dpi=150)


def _bars(axes: Any, point: dict[str, Any]) -> None:
    results = point["results"][::-1]
    ratios = [result["reference_ratio"] for result in results]
    colors = [_BENCH_COLORS.get(result["cell"]) for result in results]
    has_several = len(point["references"]) > 1
    labels = [f"{r['subject']} ({r['backend']})" if has_several else r["subject"] for r in results]
    bars = axes.barh(labels, ratios, color=colors)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.axvline(1.0, color="black", linewidth=0.8, linestyle=":")
    axes.margins(x=0.18)
    size = point["case"]
    axes.set_title(f"{size['name']}: T = {size['steps']}, H = {size['units']}")
    of = f" on {next(iter(point['references']))}" if has_several else ""
    axes.set_xlabel(f"time of a training step, GRU{of} = 1")
    axes.spines[["top", "right"]].set_visible(False)


def _curves(axes: Any, axis: str, points: list[dict[str, Any]]) -> None:
    values = [point["case"][axis] for point in points]
    for number, result in enumerate(points[0]["results"]):
        times = [1e3 * point["results"][number]["median_seconds"] for point in points]
        axes.plot(
            values,
            times,
            marker="o",
            label=result["subject"],
            color=_BENCH_COLORS.get(result["cell"]),
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(values, [str(value) for value in values])
    axes.minorticks_off()
    axes.set_xlabel(_BENCH_AXES[axis])
    axes.set_ylabel("ms per training step")
    axes.set_title(f"cost over {axis}, B = {points[0]['case']['batch']}")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


@dataclass(frozen=True)
class Curve:
    """Learning curve of a run.

    Args:
        label: Name of the run.
        task: Name of its task.
        records: Its evaluations in order, each with `step`, `seconds` and metrics.
        loss_unit: Unit of its loss; None if it has none.
    """

    label: str
    task: str
    records: Sequence[dict[str, Any]]
    loss_unit: str | None = None


@dataclass(frozen=True)
class Level:
    """Horizontal reference line, such as the unigram entropy."""

    label: str
    value: float


def draw_curves(
    curves: Sequence[Curve],
    levels: Sequence[Level],
    metric: str,
    over: str,
    file: IO[bytes],
    kind: str,
    theme: str = "light",
) -> None:
    """Draw a metric of one or more runs to a file.

    Args:
        curves: Curves of the runs. Those whose records lack the metric are omitted.
        levels: Reference lines. A line that would flatten the curves is listed in the margin
            instead.
        metric: Key of the records, such as `val_loss`.
        over: Quantity on the x-axis, one of `OVER`, or `"length"`.
        file: Binary file to write to.
        kind: `"png"`, `"svg"`, or another format that matplotlib supports.
        theme: One of `THEMES`; `"dark"` has light text on a transparent background.
    """
    curves_figure(curves, levels, metric, over, theme).savefig(file, format=kind, dpi=150)


def curves_figure(
    curves: Sequence[Curve],
    levels: Sequence[Level],
    metric: str,
    over: str,
    theme: str = "light",
) -> Figure:
    """Return a plot of a metric of one or more runs as a figure that notebooks display.

    Args:
        curves: As for `draw_curves`.
        levels: As for `draw_curves`.
        metric: As for `draw_curves`.
        over: As for `draw_curves`.
        theme: As for `draw_curves`.
    """
    import matplotlib

    # Matplotlib logs a warning at its first import, and if there is no home directory.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    ink, grid, background = _THEMES[theme]
    colors = {
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), ink),
        **dict.fromkeys(("xtick.color", "ytick.color"), ink),
        "grid.color": grid,
        "axes.facecolor": background or "white",
        "figure.facecolor": background or "white",
        "savefig.facecolor": "auto",  # that of the figure
    }
    with matplotlib.rc_context(colors):
        figure = _figure(curves, levels, metric, over)
        figure.draw_without_rendering()  # creates the ticks, with the colors above
    return figure


@functools.cache
def _notebook_figure() -> type[Figure]:
    """Return a figure class that a notebook displays without `pyplot`, which never releases it."""
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        def _repr_png_(self) -> bytes:
            file = io.BytesIO()
            self.savefig(file, format="png", dpi=100)
            return file.getvalue()

    return NotebookFigure


def _figure(curves: Sequence[Curve], levels: Sequence[Level], metric: str, over: str) -> Figure:
    import matplotlib
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    ink = matplotlib.rcParams["text.color"]
    figure = _notebook_figure()(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.subplots()
    key, scale, name = _AXES[over]
    for number, curve in enumerate(curves):
        points = [(r[key] / scale, r[metric]) for r in curve.records if r.get(metric) is not None]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            label=label(curve.label),
            color=(*_COLORS, ink)[number % (len(_COLORS) + 1)],
            linestyle=_DASHES[number // (len(_COLORS) + 1) % len(_DASHES)],
            marker="o" if len(points) <= 40 else None,
            markersize=3.5,
        )
    _draw_levels(axes, levels, metric)
    axes.set_title(", ".join(dict.fromkeys(curve.task for curve in curves)), fontsize="medium")
    axes.set_xlim(left=0)
    axes.set_xlabel(name)
    if over != "time":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(_quantity(metric, {curve.loss_unit for curve in curves}))
    if metric.endswith("accuracy"):
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(axis="y", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_levels(axes: Any, levels: Sequence[Level], metric: str) -> None:
    """Draw each reference line with its label; several lines have the same style."""
    ink = axes.xaxis.label.get_color()
    bottom, top = axes.get_ylim()
    room = 0.6 * (top - bottom)
    near = [level for level in levels if bottom - room <= level.value <= top + room]
    for level in near:
        axes.axhline(level.value, color=ink, linewidth=0.8, linestyle=":")
    for level in levels:
        if level not in near:  # listed in the legend only, with its value
            label = f"{_label(level, metric)} ({'above' if level.value > top else 'below'})"
            axes.plot([], [], color=ink, linewidth=0.8, linestyle=":", label=label)
    low, high = axes.get_ylim()
    end = -math.inf  # top of the previous label
    for level in sorted(near, key=lambda one: one.value):
        # Place the label above its line, or above the previous label if that is higher.
        place = max(level.value, end)
        end = place + _HEIGHT * (high - low)
        axes.annotate(
            _label(level, metric),
            (1.0, place),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize="small",
        )


def _label(level: Level, metric: str) -> str:
    return f"{level.label} {formatting.value(metric, level.value)}"


def _quantity(metric: str, loss_units: set[str | None]) -> str:
    unit = loss_units.pop() if len(loss_units) == 1 else None
    prefix, _, name = metric.partition("_")
    if prefix not in _SPLITS:
        return f"training {formatting.with_unit(metric, unit)}"
    return f"{_SPLITS[prefix]} {formatting.with_unit(name, unit)}"
