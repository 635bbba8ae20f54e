"""Table of published and reproduced results, for the terminal or as Markdown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Literal

from rich.console import Group
from rich.text import Text

from rumcli.jobs.events import FAILED, FINISHED, UNFINISHED, WAITING
from rumcli.jobs.results import GroupResult, JobResult, statistics_of
from rumcli.json_schemas.job_sets import RunMachine
from rumcli.reporting import formatting
from rumcli.reporting.responsive_table import responsive_table
from rumcli.reproduction.results import (
    TableResults,
    data_of,
    planned_steps,
    reached_threshold,
)

_NOTHING = "–"
_UNITS = {"percent": ", %", "bits": ", bits", "nats": ", nats", "none": ""}
_PART = "*"


def results_table(found: TableResults) -> Group:
    """Return the table for a terminal, with its notes and provenance below."""
    columns: dict[str, Literal["left", "right"]] = {
        name: "left" if name in ("model", "condition") else "right" for name in _columns(found)
    }
    made = found.provenance
    lines = [*_notes(found), *map(_machine, made.machines)]
    lines += [f"command: {command}" for command in made.commands]
    return Group(responsive_table(_title(found), columns, _sections(found)), *map(Text, lines))


def markdown(found: TableResults) -> str:
    """Return the table as Markdown, with its commands and machines."""
    names, made = _columns(found), found.provenance
    rows = [row for section in _sections(found) for row in section]
    lines = [names, ["---"] * len(names), *rows]
    table = "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)
    notes = [*_notes(found), *map(_machine, made.machines)]
    listed = "\n".join(f"- {_escaped(line)}" for line in notes)
    commands = "\n".join(f"    {command}" for command in made.commands)
    parts = [_escaped(_title(found)), table, listed, *([commands] if commands else [])]
    return "\n\n".join(parts) + "\n"


def _title(found: TableResults) -> str:
    return f"{found.table.spec.description} ({found.table.spec.source})"


def _columns(found: TableResults) -> list[str]:
    spec = found.table.spec
    condition = ["condition"] if spec.conditions else []
    return ["model", *condition, f"ours{_UNITS[spec.unit]}", "paper", "runs", "steps", "time"]


def _sections(found: TableResults) -> list[list[list[str]]]:
    return [
        [_row(found, one) for one in found.groups if one.key.condition == condition]
        for condition in found.table.conditions
    ]


def _row(found: TableResults, entry: GroupResult) -> list[str]:
    condition = [entry.key.condition] if entry.key.condition else []
    cells = [entry.key.row, *condition, _ours(entry, found.table.spec.decimals)]
    cells.append(entry.key.published or _NOTHING)
    if not (done := entry.done):
        return [*cells, _NOTHING, _NOTHING, _NOTHING]
    runs = str(len(done)) if len(done) == len(entry.runs) else f"{len(done)} of {len(entry.runs)}"
    least, most = min(one.step for one in done), max(one.step for one in done)
    steps = f"{least:,}" if least == most else f"{least:,}–{most:,}"
    if partial := [planned_steps(one) for one in done if one.state != FINISHED]:
        steps += f" of {max(partial):,}"
    return [*cells, runs, steps, formatting.duration(sum(one.seconds for one in done) / len(done))]


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


def _notes(found: TableResults) -> Iterator[str]:
    spec = found.table.spec
    over = f"mean ± standard deviation over {found.seeds} seeds" if found.seeds > 1 else "one seed"
    yield (
        f"ours: {formatting.metric_name(spec.metric)} of the test, "
        "best weights by validation; "
        f"{over}; steps and training time are means over the runs"
    )
    if not all(entry.has_all_parts for entry in found.groups):
        assert spec.average is not None
        yield f"{_PART} mean over a part of the {len(spec.average.of)} runs only"
    reached = [one.job.config for one in found.runs if reached_threshold(one)]
    for threshold in sorted({str(run.train.until) for run in reached if run}):
        yield f"a run stops at the first validation with {threshold}"
    if found.table.task == "babi":
        yield from _data_notes([one for one in found.runs if one.value is not None])
    reasons: dict[str, list[str]] = {}
    for entry in found.groups:
        if entry.key.skip_reason is not None and not entry.values:
            reasons.setdefault(entry.key.skip_reason, []).append(entry.key.row)
    for reason, rows in reasons.items():
        yield f"not run: {'; '.join(dict.fromkeys(rows))}: {reason}"
    for one in itertools.islice(found.failures, 5):
        yield f"failed: {one.job.name}: {one.message}"
    if (more := len(found.failures) - 5) > 0:
        yield f"failed: {more} more"
    for one in found.runs:
        if one.state == WAITING and one.message:
            yield f"left out: {one.job.name}: {one.message}"
    if waiting := sum(one.state == WAITING and not one.message for one in found.due):
        yield f"not begun: {formatting.counted(waiting, 'run')}"


def _data_notes(done: Sequence[JobResult]) -> Iterator[str]:
    """Yield notes on runs that lack the official stories used for the published results."""

    def have(part: Sequence[JobResult]) -> str:
        if len(part) == len(done):
            return "all runs have"
        return f"{len(part)} of {len(done)} runs have"

    if generated := [one for one in done if data_of(one) == "generated"]:
        yield f"{have(generated)} generated stories, not the official ones: --data has those"
    if filled := [one for one in done if "training generated" in data_of(one)]:
        yield f"{have(filled)} generated training stories, for want of the official file"


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
