"""Plot of an inspection: a column for each recurrent cell, and the loss landscape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from rumcli.analysis.inspection import Inspection, Landscape
from rumcli.analysis.introspection import LayerTrace
from rumcli.reporting import formatting, plots

# Color-blind-safe palette: Okabe and Ito 2008.
_BLUE, _VERMILION = "#0072B2", "#D55E00"
# Color-blind-safe; lightness increases monotonically, so it also prints in grayscale.
_MAP = "cividis"
_HEIGHTS = {"angles": 1.0, "norm": 0.8, "gate": 1.6, "spectrum": 1.3}
_MAX_LETTERS = 34  # characters of an axis label
_MAX_LABELS = 44
_MAX_NARROW_LABELS = 60  # number of labels, when they are small or vertical
# Contour levels within a decade, used if the losses span less than the factor before them.
_STEPS = (
    (12.0, (1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9)),
    (100.0, (1, 1.5, 2, 3, 5, 7)),
    (1e5, (1, 2, 5)),
    (np.inf, (1,)),
)
_SIDE = 4.9  # side of the landscape, inches
_WIDTH = 5.4  # width of a column, inches


@dataclass(frozen=True)
class _Column:
    """Views of one cell, with the title of its column."""

    title: str
    layer: LayerTrace
    trace: Any

    def has(self, view: str) -> bool:
        """Return whether the trace has the data of a view."""
        arrays = {
            "angles": self.trace.angles,
            "norm": self.trace.norms,
            "gate": self.trace.update_gates,
            "spectrum": self.trace.spectrum,
        }
        return arrays[view] is not None

    def in_order(self, values: np.ndarray) -> np.ndarray:
        """Return values per step in the order of the example."""
        return values[::-1] if self.layer.backwards else values

    def places(self, steps: np.ndarray, count: int) -> np.ndarray:
        """Return the positions of trace steps in the example, from 1."""
        return count - steps if self.layer.backwards else steps + 1


def draw(inspection: Inspection, file: IO[bytes], kind: str) -> None:
    """Draw an inspection.

    Args:
        inspection: Inspection to draw.
        file: Binary file to write to.
        kind: `"png"`, `"svg"`, or another format that matplotlib supports.
    """
    from matplotlib.figure import Figure

    columns = _columns(inspection)
    views = [
        view
        for view in _HEIGHTS
        if view in inspection.request.views and any(column.has(view) for column in columns)
    ]
    heights = [_HEIGHTS[view] for view in views]
    columns_width = _WIDTH * len(columns) if views else 0.0
    landscape_width = _SIDE if inspection.landscape is not None else 0.0
    height = max(1.2 + 1.6 * sum(heights), _SIDE + 1.3 if landscape_width else 0.0)
    figure = Figure(figsize=(columns_width + landscape_width, height), layout="constrained")
    figure.suptitle(_title(inspection), fontsize=11)
    parts = (
        figure.subfigures(1, 2, width_ratios=[columns_width, landscape_width])
        if columns_width and landscape_width
        else [figure]
    )
    if columns_width:
        _draw_columns(parts[0], columns, views, heights, inspection)
    if inspection.landscape is not None:
        _draw_landscape(_top_of(parts[-1], height), inspection.landscape, inspection)
    figure.savefig(file, format=kind, dpi=130)


def _title(inspection: Inspection) -> str:
    run, request = inspection.run, inspection.request
    title = f"{run.task.label} with {run.cell.name}, weights of step {inspection.step}"
    if inspection.trace is None:
        return title
    return f"{title}; {request.split} example {request.example}"


def _columns(inspection: Inspection) -> list[_Column]:
    if inspection.trace is None:
        return []
    columns = []
    for layer in inspection.trace.layers:
        for trace in layer.traces:
            title = f"{formatting.metric_name(layer.name)}, {trace.part}".removesuffix(", ")
            title += ", backward" if layer.backwards else ""
            columns.append(_Column(title, layer, trace))
    return columns


def _draw_columns(
    figure: Any,
    columns: Sequence[_Column],
    views: Sequence[str],
    heights: Sequence[float],
    inspection: Inspection,
) -> None:
    grid = figure.subplots(
        len(views), len(columns), sharex="col", squeeze=False, height_ratios=heights
    )
    steps = inspection.trace.steps if inspection.trace else []
    draw_view = {
        "angles": _draw_angles,
        "norm": _draw_norms,
        "gate": _draw_gates,
        "spectrum": _draw_spectrum,
    }
    for number, column in enumerate(columns):
        shown = [view for view in views if column.has(view)]
        for axes, view in zip(grid[:, number], views, strict=True):
            if view not in shown:
                axes.set_visible(False)
                continue
            draw_view[view](axes, column, len(steps))
            axes.set_xlim(0.5, len(steps) + 0.5)
            if view == shown[0]:
                axes.set_title(column.title, fontsize=10)
            if view == shown[-1]:
                _label_steps(axes, steps)


def _draw_angles(axes: Any, column: _Column, count: int) -> None:
    values = column.in_order(column.trace.angles)
    axes.plot(range(1, count + 1), values, color=_BLUE, **_marks(count))
    # The full range, so that columns and plots are comparable.
    axes.set_ylim(0, 180)
    axes.set_yticks([0, 60, 120, 180])
    axes.set_ylabel("rotation\nx̃ → r, degrees")
    plots.tidy(axes)


def _draw_norms(axes: Any, column: _Column, count: int) -> None:
    values = column.in_order(column.trace.norms)
    axes.plot(range(1, count + 1), values, color=_VERMILION, **_marks(count))
    axes.set_ylim(0, 1.15 * float(np.max(values)) or 1.0)
    axes.set_ylabel("|h|")
    plots.tidy(axes)


def _draw_gates(axes: Any, column: _Column, count: int) -> None:
    # Units have no natural order. Sorting by mean reveals groups.
    gates = column.in_order(column.trace.update_gates)
    gates = gates[:, np.argsort(gates.mean(axis=0))]
    low, high = min(0.0, float(gates.min())), max(1.0, float(gates.max()))
    image = axes.imshow(
        gates.T,
        aspect="auto",
        origin="lower",
        interpolation="nearest",
        extent=(0.5, count + 0.5, 0.5, gates.shape[1] + 0.5),
        cmap=_MAP,
        vmin=low,
        vmax=high,
    )
    bar = axes.figure.colorbar(image, ax=axes, pad=0.01, fraction=0.04)
    bar.set_label("u: 1 keeps h")
    axes.set_ylabel("update gate,\nunits sorted by mean")


def _draw_spectrum(axes: Any, column: _Column, count: int) -> None:
    trace = column.trace
    places = column.places(trace.spectrum_steps, count)
    # Each plane contributes two equal angles.
    for angles in trace.spectrum.T[-1::-2]:
        axes.plot(places, angles, color=_BLUE, linewidth=0.7, alpha=0.75)
    axes.set_ylim(0, 180)
    axes.set_yticks([0, 60, 120, 180])
    axes.set_ylabel("memory R: angles of\nits planes, degrees")
    plots.tidy(axes)


def _marks(count: int) -> dict[str, Any]:
    return {"marker": "o", "markersize": 3.5} if count <= _MAX_LABELS else {"linewidth": 1.0}


def _label_steps(axes: Any, steps: Sequence[str]) -> None:
    """Label the axis with the input of each step, if there is room."""
    axes.tick_params(labelbottom=True)
    longest = max(map(len, steps))
    if len(steps) > _MAX_NARROW_LABELS:
        axes.set_xlabel("time step")
        return
    labels = [_shortened(step) for step in steps]
    style: dict[str, Any]
    if len(steps) > _MAX_LABELS:
        style = {"fontsize": 6, **({"rotation": 90} if longest > 1 else {})}
    elif longest > 2:
        style = {"rotation": 60, "ha": "right", "rotation_mode": "anchor", "fontsize": 7}
    else:
        style = {"fontsize": 8}
    axes.set_xticks(range(1, len(steps) + 1), labels, **style)
    axes.set_xlabel("time step, labeled by its input")


def _shortened(step: str) -> str:
    step = {" ": "␣", "\n": "↵"}.get(step, step)
    return plots.label(step if len(step) <= _MAX_LETTERS else f"{step[: _MAX_LETTERS - 1]}…")


def _top_of(figure: Any, height: float) -> Any:
    """Return the upper part of a figure, as high as the landscape requires."""
    rest = height - _SIDE - 1.3
    if rest < 0.2:
        return figure
    return figure.subfigures(2, 1, height_ratios=[_SIDE + 1.3, rest])[0]


def _draw_landscape(figure: Any, landscape: Landscape, inspection: Inspection) -> None:
    axes = figure.subplots()
    losses = np.ma.masked_invalid(landscape.losses)
    levels, norm = _levels(losses)
    where = (landscape.ticks, landscape.ticks, losses)
    filled = axes.contourf(*where, levels=levels, cmap=_MAP, norm=norm)
    within = levels[(levels > losses.min()) & (levels < losses.max())]
    if len(within):
        lines = axes.contour(*where, levels=within, colors="white", linewidths=0.6)
        axes.clabel(lines, within[::2], fmt="%.4g", fontsize=7)
    middle = len(landscape.ticks) // 2
    axes.plot(
        0,
        0,
        marker="*",
        markersize=13,
        linestyle="",
        color="white",
        markeredgecolor="black",
        label=f"the run's weights, loss {landscape.losses[middle, middle]:.4g}",
    )
    axes.legend(loc="upper right", fontsize=8, framealpha=0.9)
    axes.set_aspect("equal")
    axes.set_xlabel("a, along d₁ (1: the norm of the weights)")
    axes.set_ylabel("b, along d₂")
    axes.set_title(f"loss of {landscape.samples:,} {inspection.request.split} samples", fontsize=10)
    bar = figure.colorbar(filled, ax=axes, location="bottom", format="%.4g", aspect=30)
    bar.minorticks_off()
    loss = formatting.with_unit("loss", inspection.run.task.loss_unit)
    bar.set_label(loss + (", logarithmic colors" if norm == "log" else ""))


def _levels(losses: Any) -> tuple[np.ndarray, str]:
    """Choose round contour levels, on a log scale if the loss spans more than a factor of 4."""
    from matplotlib import ticker

    low, high = float(losses.min()), float(losses.max())
    if low > 0 and high / low > 4:
        steps = next(steps for span, steps in _STEPS if high / low < span)
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        levels = np.array([step * 10.0**decade for decade in decades for step in steps])
        first, last = np.searchsorted(levels, low, "right") - 1, np.searchsorted(levels, high)
        return levels[first : last + 1], "log"
    if high - low <= 1e-9 * max(abs(high), 1.0):  # a flat landscape
        low, high = low - 0.5, high + 0.5
    return ticker.MaxNLocator(14).tick_values(low, high), "linear"
