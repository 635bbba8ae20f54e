"""Tables of the points of a sweep, before it starts and with results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from rumcli.jobs.events import FINISHED
from rumcli.jobs.results import GroupResult, statistics_of
from rumcli.reporting import formatting
from rumcli.reporting.job_progress import setting
from rumcli.reporting.responsive_table import FirstThatFits, responsive_table
from rumcli.sweeps.results import SweepResults, settings_of


def results_table(found: SweepResults) -> FirstThatFits:
    """Return the points of a sweep, best first: mean ± deviation over the seeds."""
    search = f"{found.plan.spec.search} search"
    title = f"{found.plan.base.task.name}: {search}"
    if found.metric is not None:
        best = "highest" if found.higher_is_better else "lowest"
        metric = formatting.metric_name(found.metric)
        title = f"{found.plan.base.task.name}, {search}: {best} {metric} first"
    parameters: dict[str, Literal["left", "right"]] = dict.fromkeys(found.plan.parameters, "left")
    columns: dict[str, Literal["left", "right"]] = {
        "point": "right",
        **parameters,
        f"validation {formatting.metric_name(found.metric or 'metric')}": "right",
        "test": "right",
        "runs": "left",
    }
    rows = [_row(found, point) for point in found.points]
    return responsive_table(Text(title), columns, [rows], _caption(found))


def points(listed: Sequence[Mapping[str, Any]], parameters: Sequence[str], seeds: int) -> Table:
    """Return the points of a search before it starts."""
    counts = (len(listed), "point"), (seeds, "seed"), (len(listed) * seeds, "run")
    title = "{}, {} each: {}".format(*(formatting.counted(*one) for one in counts))
    table = Table(title=title, title_justify="left")
    table.add_column("point", justify="right")
    for key in parameters:
        table.add_column(Text(key), overflow="fold")
    for number, point in enumerate(listed, 1):
        table.add_row(str(number), *(Text(setting(point[key])) for key in parameters))
    return table


def _row(found: SweepResults, point: GroupResult) -> list[Text | str]:
    settings, states = settings_of(point), Counter(one.state for one in point.runs)
    return [
        Text(str(point.key), style="bold"),
        *(setting(settings.get(key)) for key in found.plan.parameters),
        _statistics(found, point.values, len(point.runs)),
        _statistics(found, point.tests, len(point.runs)),
        FINISHED
        if set(states) == {FINISHED}
        else ", ".join(f"{count} {state}" for state, count in states.items()),
    ]


def _statistics(found: SweepResults, values: Sequence[float], seeds: int) -> str:
    spread, name = statistics_of(values), found.metric or ""
    if spread is None:
        return "–"
    text = formatting.value(name, spread.mean)
    if spread.deviation is not None:
        text += f" ± {formatting.deviation(name, spread.mean, spread.deviation)}"
    return text if len(values) == seeds else f"{text} ({len(values)} of {seeds})"


def _caption(found: SweepResults) -> str:
    seeds = max((len(point.runs) for point in found.groups), default=1)
    over = f"; mean ± standard deviation over {seeds} seeds" if seeds > 1 else ""
    counts = [len(one) for point in found.groups for one in (point.values, point.tests)]
    if over and any(0 < count < seeds for count in counts):
        over += ", or as many as in brackets"
    return f"best validation of each run, test of each finished run{over}"
