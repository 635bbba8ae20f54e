"""A table of published figures with ours beside them: for a terminal, and as Markdown."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from rumcli.jobs.events import FAILED, FINISHED, UNFINISHED, WAITING
from rumcli.reporting import forms, wording
from rumcli.reproduction.results import Figure, Outcome, Results

_NOTHING = "–"
_UNITS = {"percent": "%", "bits": "bits", "nats": "nats", "none": ""}
_PART = "*"
_RIGHT = ("ours", "paper", "runs", "time")


class ReproductionTable:
    """The table for a terminal, in the form that its width allows.

    Args:
        found: What came of the runs.
    """

    def __init__(self, found: Results) -> None:
        self._found = found
        self._setting = found.setting

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Choose the form, and put below it what it was made with."""
        yield forms.fitting(console, options, self._wide(), self._long)
        for line in _lines(self._found):
            yield Text(line)
        for line in map(_machine, self._setting["machines"]):
            yield Text(line)
        for command in self._setting["commands"]:
            yield Text(f"command: {command}")

    def _wide(self) -> Table:
        table = Table(title=_title(self._found), title_justify="left")
        names = _columns(self._found)
        for name in names:
            right = name.partition(",")[0] in _RIGHT
            table.add_column(name, justify="right" if right else "left")
        for condition in self._found.table.conditions:
            rows = _rows(self._found, condition)
            for number, row in enumerate(rows):
                table.add_row(*map(Text, row), end_section=number == len(rows) - 1)
        return table

    def _long(self) -> Table:
        table = Table(title=_title(self._found), title_justify="left")
        columns = _columns(self._found)
        has_conditions = "condition" in columns
        for name in (columns[0], *columns[1 + has_conditions : 3 + has_conditions]):
            table.add_column(name, overflow="fold", justify="left" if name == "model" else "right")
        for condition in self._found.table.conditions:
            if condition:
                table.add_row(Text(condition, style="bold"), end_section=True)
            rows = _rows(self._found, condition)
            for number, (label, *_, ours, paper, runs, steps, time) in enumerate(rows):
                parts = [] if runs == _NOTHING else [f"runs: {runs}", f"steps: {steps}", time]
                words = "\n".join([label, *([", ".join(parts)] if parts else [])])
                table.add_row(*map(Text, (words, ours, paper)), end_section=number == len(rows) - 1)
        return table


def markdown(found: Results) -> str:
    """Write the table as Markdown, with its command and the machine, to be put into a page."""
    names = _columns(found)
    rows = [row for condition in found.table.conditions for row in _rows(found, condition)]
    lines = [names, ["---"] * len(names), *rows]
    table = "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)
    setting = found.setting
    lines = [*_lines(found), *map(_machine, setting["machines"])]
    notes = "\n".join(f"- {_escaped(line)}" for line in lines)
    commands = "\n".join(f"    {command}" for command in setting["commands"])
    parts = [_escaped(_title(found)), table, notes, *([commands] if commands else [])]
    return "\n\n".join(parts) + "\n"


def _title(found: Results) -> str:
    described = found.table.description
    return f"{described.description} ({described.source})"


def _columns(found: Results) -> list[str]:
    described = found.table.description
    unit = _UNITS[described.unit]
    ours = f"ours, {unit}" if unit else "ours"
    condition = ["condition"] if described.conditions else []
    return ["model", *condition, ours, "paper", "runs", "steps", "time"]


def _rows(found: Results, condition: str) -> list[list[str]]:
    return [
        [
            figure.cell.row,
            *([condition] if condition else []),
            _ours(figure, found.table.description.decimals),
            figure.cell.published or _NOTHING,
            _runs(figure),
            _steps(figure.done),
            _time(figure.done),
        ]
        for figure in found.figures
        if figure.cell.condition == condition
    ]


def _ours(figure: Figure, decimals: int) -> str:
    spread = figure.spread
    if spread is None:
        if figure.count(FAILED):
            return "failed"
        return "no test yet" if figure.count(UNFINISHED) else "not run"
    part = "" if figure.has_all_parts else _PART
    text = f"{spread['mean']:.{decimals}f}"
    if spread["deviation"] is not None:
        text += f" ± {spread['deviation']:.{decimals}f}"
    return text + part


def _runs(figure: Figure) -> str:
    done, planned = len(figure.done), len(figure.outcomes)
    if not done:
        return _NOTHING
    return str(done) if done == planned else f"{done} of {planned}"


def _steps(done: Sequence[Outcome]) -> str:
    """Write how long the runs were; `of` how many only where time did not suffice for them."""
    if not done:
        return _NOTHING
    least, most = min(one.step for one in done), max(one.step for one in done)
    text = f"{least:,}" if least == most else f"{least:,}–{most:,}"
    whole = [one.steps for one in done if one.state != FINISHED]
    return f"{text} of {max(whole):,}" if whole else text


def _time(done: Sequence[Outcome]) -> str:
    if not done:
        return _NOTHING
    return wording.duration(sum(one.seconds for one in done) / len(done))


def _lines(found: Results) -> list[str]:
    """Return what there is to be said of the figures."""
    described = found.table.description
    over = f"mean ± standard deviation over {found.seeds} seeds" if found.seeds > 1 else "one seed"
    lines = [
        f"ours: {wording.metric_name(described.figure)} of the test, best weights by validation; "
        f"{over}; steps and time of training are those of a run"
    ]
    if not all(figure.has_all_parts for figure in found.figures):
        assert described.mean is not None
        lines.append(f"{_PART} mean over a part of the {len(described.mean.of)} runs only")
    ends = sorted({str(o.run.config.train.until) for o in found.outcomes if o.reached})
    lines += [f"a run ends once its validation has {end}" for end in ends]
    return [*lines, *_stories(found), *_reasons(found)]


def _stories(found: Results) -> Iterator[str]:
    """Say which figures are not of the official stories, as the published ones are."""
    if found.table.task != "babi":
        return
    done = [one for one in found.outcomes if one.value is not None]
    generated = [one for one in done if one.data == "generated"]
    if generated:
        yield f"{_of(generated, done)} generated stories, not the official ones: --data has those"
    if filled := [one for one in done if "training generated" in one.data]:
        yield f"{_of(filled, done)} generated training stories, for want of the official file"


def _of(part: Sequence[Outcome], whole: Sequence[Outcome]) -> str:
    return "all runs have" if len(part) == len(whole) else f"{len(part)} of {len(whole)} runs have"


def _reasons(found: Results) -> Iterator[str]:
    """Say why there is no figure where there is none, and what failed."""
    reasons: dict[str, list[str]] = {}
    for figure in found.figures:
        if figure.cell.not_run is not None and figure.spread is None:
            reasons.setdefault(figure.cell.not_run, []).append(figure.cell.row)
    for reason, rows in reasons.items():
        yield f"not run: {'; '.join(dict.fromkeys(rows))}: {reason}"
    for one in itertools.islice(found.failures, 5):
        yield f"failed: {one.run.name}: {one.message}"
    if (more := len(found.failures) - 5) > 0:
        yield f"failed: {more} more"
    for one in found.outcomes:
        if one.state == WAITING and one.message:
            yield f"left out: {one.run.name}: {one.message}"
    if waiting := sum(not one.message for one in found.waiting):
        yield f"not begun: {wording.counted(waiting, 'run')}"


def _machine(machine: dict[str, Any]) -> str:
    cores = machine["cores"]
    where = [
        machine["processor"],
        wording.counted(cores, "core") if cores else None,
        *wording.each_once(machine["accelerators"]),
    ]
    versions = ", ".join(f"{name} {text}" for name, text in machine["versions"].items())
    return "; ".join(filter(None, [", ".join(filter(None, where)), versions]))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace(_PART, f"\\{_PART}")
