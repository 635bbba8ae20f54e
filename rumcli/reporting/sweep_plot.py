"""Plot of the results of a sweep: the metric over each parameter."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import IO, Any

from rumcli.jobs.results import GroupResult
from rumcli.reporting import bench_plot, formatting
from rumcli.reporting.job_progress import setting
from rumcli.sweeps.points import Parameter, Range
from rumcli.sweeps.results import SweepResults, settings_of

_COLUMNS = 3
_POINT, _RUN = "#0072B2", "#999999"  # color-blind-safe palette: Okabe and Ito 2008


def draw(found: SweepResults, file: IO[bytes], kind: str) -> None:
    """Draw the best validation of each run, and mean and standard deviation of each point.

    Args:
        found: Results, with a value for at least one point.
        file: Binary file to write to.
        kind: `"png"`, or another format that matplotlib supports.
    """
    from matplotlib.figure import Figure

    points, parameters = [one for one in found.points if one.values], found.plan.parameters
    columns = min(len(parameters), _COLUMNS)
    rows = -(-len(parameters) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.8 * rows), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for place, (key, parameter) in zip(places, parameters.items(), strict=False):
        _panel(place, key, parameter, points)
    for place in places[len(parameters) :]:
        place.set_visible(False)
    metric = formatting.metric_name(found.metric or "")
    for place in places[::columns]:
        place.set_ylabel(f"{metric}, best validation")
    seeds = max(len(point.runs) for point in points)
    over = f"\ndots: runs; bars: mean ± deviation over {seeds} seeds" if seeds > 1 else ""
    if over and any(len(point.values) < seeds for point in points):
        over += ", or over those that have a value"
    title = f"{found.plan.base.task.name}, {found.plan.spec.search} search"
    figure.suptitle(f"{title}{over}", fontsize="medium")
    figure.savefig(file, format=kind, dpi=150)


def _panel(place: Any, key: str, parameter: Parameter, points: Sequence[GroupResult]) -> None:
    names = _names(parameter)
    for point in points:
        value = settings_of(point)[key]
        x = names.index(setting(value)) if names else value
        place.plot([x] * len(point.values), point.values, "o", color=_RUN, markersize=4, zorder=3)
        deviation = statistics.stdev(point.values) if len(point.values) > 1 else 0.0
        place.errorbar(
            x,
            statistics.fmean(point.values),
            yerr=deviation or None,
            fmt="_",
            color=_POINT,
            markersize=14,
            capsize=4,
            linewidth=1.5,
            zorder=2,
        )
    place.margins(x=0.08)
    if names:
        place.set_xticks(range(len(names)), [bench_plot.label(name) for name in names])
        place.set_xlim(-0.5, len(names) - 0.5)
    elif (isinstance(parameter, Range) and parameter.log) or _spans(parameter):
        place.set_xscale("log")
    place.set_xlabel(key)
    place.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    place.set_axisbelow(True)
    place.spines[["top", "right"]].set_visible(False)


def _names(parameter: Parameter) -> list[str]:
    """Return the tick labels of a categorical axis; empty if all values are numbers."""
    if isinstance(parameter, Range):
        return []
    is_numeric = all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in parameter
    )
    return [] if is_numeric else [setting(value) for value in parameter]


def _spans(parameter: Parameter) -> bool:
    """Return whether a list of numbers spans orders of magnitude, such as 0.1, 0.01, 0.001."""
    if isinstance(parameter, Range):
        return False
    return min(parameter) > 0 and max(parameter) >= 10 * min(parameter)
