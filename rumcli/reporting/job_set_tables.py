"""Tables and plots of the results of sweeps and reproduced tables."""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rumcli.jobs.job_folder import GroupResult, JobResult, statistics_of
from rumcli.jobs.job_spec import FAILED, FINISHED, UNFINISHED, WAITING
from rumcli.json_schemas.results import RunMachine
from rumcli.reporting import formatting, plots
from rumcli.reporting.formatting import NOTHING, Columns, FirstThatFits, responsive_table
from rumcli.reproduction.table_results import (
    TableResults,
    data_of,
    met_threshold,
    planned_steps,
)
from rumcli.sweeps.search import SweepResults, settings_of
from rumcli.sweeps.sweep_spec import Parameter, Range

_COLUMNS = 3
_POINT, _RUN = "#0072B2", "#999999"  # color-blind-safe palette: Okabe and Ito 2008

_UNITS = {"percent": ", %", "bits": ", bits", "nats": ", nats", "none": ""}
_PART = "*"


def sweep_results_table(results: SweepResults) -> FirstThatFits:
    """Return the points of a sweep, best first: mean ± deviation over the seeds."""
    search = f"{results.plan.spec.search} search"
    title = f"{results.plan.base.task.label}: {search}"
    if results.metric is not None:
        best = "highest" if results.higher_is_better else "lowest"
        metric = formatting.metric_name(results.metric)
        title = f"{results.plan.base.task.label}, {search}: {best} {metric} first"
    parameters: Columns = dict.fromkeys(results.plan.parameters, "left")
    columns: Columns = {
        "point": "right",
        **parameters,
        f"validation {formatting.metric_name(results.metric or 'metric')}": "right",
        "test": "right",
        "runs": "left",
    }
    rows = [_sweep_row(results, point) for point in results.points]
    return responsive_table(Text(title), columns, [rows], _caption(results))


def points_table(
    listed: Sequence[Mapping[str, Any]], parameters: Sequence[str], seeds: int
) -> Table:
    """Return the points of a search before it starts."""
    counts = (len(listed), "point"), (seeds, "seed"), (len(listed) * seeds, "run")
    title = "{}, {} each: {}".format(*(formatting.counted(*one) for one in counts))
    table = Table(title=title, title_justify="left")
    table.add_column("point", justify="right")
    for key in parameters:
        table.add_column(Text(key), overflow="fold")
    for number, point in enumerate(listed, 1):
        table.add_row(str(number), *(Text(formatting.setting(point[key])) for key in parameters))
    return table


def _sweep_row(results: SweepResults, point: GroupResult) -> list[Text | str]:
    settings, states = settings_of(point), Counter(one.state for one in point.runs)
    return [
        Text(str(point.key), style="bold"),
        *(formatting.setting(settings.get(key)) for key in results.plan.parameters),
        _statistics(results, point.values, len(point.runs)),
        _statistics(results, point.tests, len(point.runs)),
        FINISHED
        if set(states) == {FINISHED}
        else ", ".join(f"{count} {state}" for state, count in states.items()),
    ]


def _statistics(results: SweepResults, values: Sequence[float], seeds: int) -> str:
    spread, name = statistics_of(values), results.metric or ""
    if spread is None:
        return NOTHING
    text = formatting.value(name, spread.mean)
    if spread.deviation is not None:
        text += f" ± {formatting.deviation(name, spread.mean, spread.deviation)}"
    return text if len(values) == seeds else f"{text} ({len(values)} of {seeds})"


def _caption(results: SweepResults) -> str:
    seeds = max((len(point.runs) for point in results.groups), default=1)
    over = f"; mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
    counts = [len(one) for point in results.groups for one in (point.values, point.tests)]
    if over and any(0 < count < seeds for count in counts):
        over += ", or over the number in parentheses"
    return f"best validation of each run, test of each finished or stopped run{over}"


def draw_sweep(results: SweepResults, file: IO[bytes], kind: str) -> None:
    """Draw the best validation of each run, and mean and standard deviation of each point.

    Args:
        results: Results, with a value for at least one point.
        file: Binary file to write to.
        kind: `"png"`, or another format that matplotlib supports.
    """
    from matplotlib.figure import Figure

    points, parameters = [one for one in results.points if one.values], results.plan.parameters
    columns = min(len(parameters), _COLUMNS)
    rows = -(-len(parameters) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.8 * rows), layout="constrained")
    all_axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (key, parameter) in zip(all_axes, parameters.items(), strict=False):
        _panel(axes, key, parameter, points)
    for axes in all_axes[len(parameters) :]:
        axes.set_visible(False)
    metric = formatting.metric_name(results.metric or "")
    for axes in all_axes[::columns]:
        axes.set_ylabel(f"{metric}, best validation")
    seeds = max(len(point.runs) for point in points)
    over = f"\ndots: runs; bars: mean ± deviation over {seeds} seeds" if seeds > 1 else ""
    if over and any(len(point.values) < seeds for point in points):
        over += ", or over those with a value"
    title = f"{results.plan.base.task.label}, {results.plan.spec.search} search"
    figure.suptitle(f"{title}{over}", fontsize="medium")
    figure.savefig(file, format=kind, dpi=150)


def _panel(axes: Any, key: str, parameter: Parameter, points: Sequence[GroupResult]) -> None:
    names = _names(parameter)
    for point in points:
        value = settings_of(point)[key]
        x = names.index(formatting.setting(value)) if names else value
        axes.plot([x] * len(point.values), point.values, "o", color=_RUN, markersize=4, zorder=3)
        deviation = statistics.stdev(point.values) if len(point.values) > 1 else 0.0
        axes.errorbar(
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
    axes.margins(x=0.08)
    if names:
        axes.set_xticks(range(len(names)), [plots.label(name) for name in names])
        axes.set_xlim(-0.5, len(names) - 0.5)
    elif (isinstance(parameter, Range) and parameter.log) or _spans(parameter):
        axes.set_xscale("log")
    axes.set_xlabel(key)
    plots.tidy(axes)


def _names(parameter: Parameter) -> list[str]:
    """Return the tick labels of a categorical axis; empty if all values are numbers."""
    if isinstance(parameter, Range):
        return []
    is_numeric = all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in parameter
    )
    return [] if is_numeric else [formatting.setting(value) for value in parameter]


def _spans(parameter: Parameter) -> bool:
    """Return whether a list of numbers spans orders of magnitude, such as 0.1, 0.01, 0.001."""
    if isinstance(parameter, Range):
        return False
    return min(parameter) > 0 and max(parameter) >= 10 * min(parameter)


def results_table(results: TableResults) -> Group:
    """Return the table for a terminal, with its notes and provenance below."""
    columns: Columns = {
        name: "left" if name in ("model", "condition") else "right" for name in _columns(results)
    }
    provenance = results.provenance
    lines = [*_notes(results), *map(_machine, provenance.machines)]
    lines += [f"command: {command}" for command in provenance.commands]
    return Group(responsive_table(_title(results), columns, _sections(results)), *map(Text, lines))


def markdown(results: TableResults) -> str:
    """Return the table as Markdown, with its commands and machines."""
    names, provenance = _columns(results), results.provenance
    rows = [row for section in _sections(results) for row in section]
    lines = [names, ["---"] * len(names), *rows]
    table = "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)
    notes = [*_notes(results), *map(_machine, provenance.machines)]
    listed = "\n".join(f"- {_escaped(line)}" for line in notes)
    commands = "\n".join(f"    {command}" for command in provenance.commands)
    parts = [_escaped(_title(results)), table, listed, *([commands] if commands else [])]
    return "\n\n".join(parts) + "\n"


def _title(results: TableResults) -> str:
    return f"{results.table.spec.description} ({results.table.spec.source})"


def _columns(results: TableResults) -> list[str]:
    spec = results.table.spec
    condition = ["condition"] if spec.conditions else []
    return ["model", *condition, f"ours{_UNITS[spec.unit]}", "paper", "runs", "steps", "time"]


def _sections(results: TableResults) -> list[list[list[str]]]:
    return [
        [_row(results, one) for one in results.groups if one.key.condition == condition]
        for condition in results.table.conditions
    ]


def _row(results: TableResults, entry: GroupResult) -> list[str]:
    condition = [entry.key.condition] if entry.key.condition else []
    cells = [entry.key.row, *condition, _ours(entry, results.table.spec.decimals)]
    cells.append(entry.key.published or NOTHING)
    if not (done := entry.done):
        return [*cells, NOTHING, NOTHING, NOTHING]
    runs = str(len(done)) if len(done) == len(entry.runs) else f"{len(done)} of {len(entry.runs)}"
    least, most = min(run.step for run in done), max(run.step for run in done)
    steps = f"{least:,}" if least == most else f"{least:,}–{most:,}"
    if partial := [planned_steps(run) for run in done if run.state != FINISHED]:
        steps += f" of {max(partial):,}"
    return [*cells, runs, steps, formatting.duration(sum(run.seconds for run in done) / len(done))]


def _ours(entry: GroupResult, decimals: int) -> str:
    spread = statistics_of(entry.values)
    if spread is None:
        if entry.count(FAILED):
            return "failed"
        return "no test yet" if entry.count(UNFINISHED) else "not run"
    text = f"{spread.mean:.{decimals}f}"
    if spread.deviation is not None:
        text += f" ± {spread.deviation:.{decimals}f}"
    return text if entry.has_all_parts else text + _PART


def _notes(results: TableResults) -> Iterator[str]:
    spec = results.table.spec
    over = (
        f"mean ± standard deviation over {results.seeds} seeds" if results.seeds > 1 else "one seed"
    )
    yield (
        f"ours: {formatting.metric_name(spec.metric)} of the test, "
        "best weights by validation; "
        f"{over}; steps and training time are means over the runs"
    )
    if not all(entry.has_all_parts for entry in results.groups):
        assert spec.average is not None
        yield f"{_PART} mean over only some of the {len(spec.average.of)} runs"
    stopped = [one.job.config for one in results.runs if met_threshold(one)]
    for threshold in sorted({str(run.train.until) for run in stopped if run}):
        yield f"a run stops at the first validation with {threshold}"
    yield from _data_notes([one for one in results.runs if one.value is not None])
    reasons: dict[str, list[str]] = {}
    for entry in results.groups:
        if entry.key.skip_reason is not None and not entry.values:
            reasons.setdefault(entry.key.skip_reason, []).append(entry.key.row)
    for reason, rows in reasons.items():
        yield f"not run: {'; '.join(dict.fromkeys(rows))}: {reason}"
    for one in itertools.islice(results.failures, 5):
        yield f"failed: {one.job.name}: {one.message}"
    if (more := len(results.failures) - 5) > 0:
        yield f"failed: {more} more"
    for one in results.runs:
        if one.state == WAITING and one.message:
            yield f"left out: {one.job.name}: {one.message}"
    if waiting := sum(one.state == WAITING and not one.message for one in results.due):
        yield f"not started: {formatting.counted(waiting, 'run')}"


def _data_notes(done: Sequence[JobResult]) -> Iterator[str]:
    """Yield notes on runs that lack the official stories used for the published results."""

    def have(part: Sequence[JobResult]) -> str:
        if len(part) == len(done):
            return "all runs have"
        return f"{len(part)} of {len(done)} runs have"

    if generated := [one for one in done if data_of(one) == "generated"]:
        stories = "generated stories instead of the official ones, which --data selects"
        yield f"{have(generated)} {stories}"
    if filled := [one for one in done if "training stories generated" in data_of(one)]:
        yield f"{have(filled)} generated training stories, because the official file is missing"


def _machine(machine: RunMachine) -> str:
    where = [
        machine.processor,
        formatting.counted(machine.cores, "core") if machine.cores else None,
        *formatting.each_once(machine.accelerators),
    ]
    versions = ", ".join(f"{name} {text}" for name, text in machine.versions.items())
    return "; ".join(filter(None, [", ".join(filter(None, where)), versions]))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace(_PART, f"\\{_PART}")
