"""Report on runs as one HTML page without external requests, or as Markdown."""

from __future__ import annotations

import base64
import html
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rumcli import atomic_io
from rumcli.json_schemas.analysis import Report, ReportedRun
from rumcli.reporting import formatting

_NARROW = "40rem"  # width of a narrow screen
_PAGE = string.Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --line: #d1d9e0;
  --page: #fff; --fill: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --line: #3d444d;
  --page: #0d1117; --fill: #151b23; } }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 3rem; color: var(--ink);
  background: var(--page); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; color: var(--soft); }
img { display: block; width: 100%; max-width: 44rem; height: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; font-size: .875rem; }
td:first-child { font-weight: 600; min-width: 6.5rem; }
pre { background: var(--fill); border: 1px solid var(--line); border-radius: 6px; padding: .75rem;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .875rem; }
footer { margin-top: 2.5rem; color: var(--soft); font-size: .875rem; }
@media (max-width: $narrow) {
  .wide thead { display: none; }
  .wide tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .wide td { display: flex; gap: .75rem; border: 0; padding: .1rem 0; }
  .wide td:not(:first-child)::before { content: attr(data-name); flex: 0 0 8rem;
    color: var(--soft); }
}
</style>
</head>
<body>
<h1>$title</h1>
<p>$subtitle</p>
$body
<footer>Created by rum $version.</footer>
</body>
</html>
"""
)


@dataclass(frozen=True)
class _Table:
    """Table of a report: column titles, and rows with one text per column."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def to_html(report: Report, curves: Mapping[tuple[str, str], bytes], version: str) -> str:
    """Render a report as one HTML page with light and dark themes.

    Args:
        report: Report to render.
        curves: SVG files of the learning curves, by theme (`light` or `dark`) and screen (`wide` or
            `narrow`); empty for no curves.
        version: Version of the package.
    """
    results, *others = _tables(report)
    parts = [_html_table(results)]
    if curves:
        parts.append(f"<h2>Learning curves</h2>\n{_picture(report, curves)}")
    parts += [_html_table(table) for table in others]
    commands = "\n".join(_escape(command) for command in [run.command for run in report.runs])
    parts.append(f"<h2>Commands that repeat the runs</h2>\n<pre>{commands}</pre>")
    return _PAGE.substitute(
        title=_escape(_title(report)),
        subtitle=_escape(_subtitle(report)),
        body="\n".join(parts),
        version=version,
        narrow=_NARROW,
    )


def to_markdown(report: Report) -> str:
    """Render a report as Markdown, with the learning curves as block characters."""
    parts = [f"# {formatting.markdown(_title(report))}", formatting.markdown(_subtitle(report))]
    results, *others = _tables(report)
    curves = [[run.label, _curve(report, run)] for run in report.runs if run.validations]
    extra = [_Table("Learning curves", ("run", "validations"), curves)] if curves else []
    for table in (results, *extra, *others):
        parts.append(f"## {table.title}\n\n{formatting.markdown_table(table.columns, table.rows)}")
    commands = "\n".join(
        f"    {line}" for line in "\n".join([run.command for run in report.runs]).splitlines()
    )
    parts.append(f"## Commands that repeat the runs\n\n{atomic_io.readable(commands)}")
    return "\n\n".join(parts) + "\n"


def _title(report: Report) -> str:
    runs = formatting.counted(len(report.runs), "run")
    return f"{report.task}: {formatting.metric_name(report.metric)} of {runs}"


def _subtitle(report: Report) -> str:
    best = "highest" if report.higher_is_better else "lowest"
    text = f"The {best} value is first."
    if any(run.standard_error for run in report.runs):
        text += " ± is the binomial standard error of n answers."
    return text


def _tables(report: Report) -> Iterator[_Table]:
    metric = formatting.metric_name(report.metric)
    yield _Table(
        "Results",
        ("run", metric, "baseline", "split", "steps", "time", "weights"),
        [_result(report, run) for run in report.runs],
    )
    if report.differences:
        yield _side_by_side(
            "Differences between the configurations",
            report.differences,
            {run.label: run.settings for run in report.runs},
        )
    yield from _environment(report)


def _result(report: Report, run: ReportedRun) -> list[str]:
    baseline = formatting.NOTHING
    if run.baseline is not None:
        level = formatting.value(report.metric, run.baseline.value)
        baseline = f"{run.baseline.label} {level}"
    is_whole = run.finished or run.steps == run.of_steps
    return [
        run.label,
        _value(report.metric, run),
        baseline,
        run.split or "no evaluation yet",
        f"{run.steps:,}" if is_whole else f"{run.steps:,} of {run.of_steps:,}",
        formatting.NOTHING if run.seconds is None else formatting.duration(run.seconds),
        formatting.NOTHING if run.parameters is None else f"{run.parameters:,}",
    ]


def _value(metric: str, run: ReportedRun) -> str:
    if run.value is None:
        return formatting.NOTHING
    text = formatting.value(metric, run.value)
    if run.count is None:
        return text
    text += formatting.standard_error(run.standard_error)
    return f"{text} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{run.count:,})"


def _environment(report: Report) -> Iterator[_Table]:
    """Yield the environment shared by all runs, then the differences between the runs."""
    environments = [run.environment for run in report.runs]
    keys = list(dict.fromkeys(key for environment in environments for key in environment))
    common = [
        key
        for key in keys
        if all(environment.get(key) == environments[0].get(key) for environment in environments)
    ]
    rows = [
        [key, formatting.table_cell(environments[0][key])]
        for key in common
        if formatting.table_cell(environments[0][key])
    ]
    if rows:
        yield _Table("Environment", ("name", "value"), rows)
    if differing := [key for key in keys if key not in common]:
        yield _side_by_side(
            "Differences between the environments",
            differing,
            {run.label: run.environment for run in report.runs},
        )


def _side_by_side(title: str, keys: Sequence[str], runs: Mapping[str, Mapping[str, Any]]) -> _Table:
    """Return a table of values by run and key, with the smaller dimension as columns."""
    if len(keys) > len(runs):
        rows = [
            [key, *(formatting.table_cell(values.get(key)) for values in runs.values())]
            for key in keys
        ]
        return _Table(title, ("key", *runs), rows)
    rows = [
        [run, *(formatting.table_cell(values.get(key)) for key in keys)]
        for run, values in runs.items()
    ]
    return _Table(title, ("run", *keys), rows)


def _curve(report: Report, run: ReportedRun) -> str:
    first, last = run.validations[0], run.validations[-1]
    ends = " → ".join(formatting.value(report.metric, value) for value in (first, last))
    return f"{formatting.sparkline(run.validations)} {ends}"


def _html_table(table: _Table) -> str:
    head = "".join(f"<th>{_escape(name)}</th>" for name in table.columns)
    rows = []
    for row in table.rows:
        cells = (
            f'<td data-name="{_escape(name)}"><span>{_escape(cell)}</span></td>'
            for name, cell in zip(table.columns, row, strict=True)
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(rows)
    wide = ' class="wide"' if len(table.columns) > 2 else ""  # narrow screen: one cell per line
    return (
        f"<h2>{_escape(table.title)}</h2>\n<table{wide}>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def _picture(report: Report, curves: Mapping[tuple[str, str], bytes]) -> str:
    text = f"validation {formatting.metric_name(report.metric)} over training steps"
    urls = {
        key: f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
        for key, svg in curves.items()
    }
    dark, narrow = "(prefers-color-scheme: dark)", f"(max-width: {_NARROW})"
    sources = (  # the first matching media query applies
        (f"{dark} and {narrow}", urls["dark", "narrow"]),
        (dark, urls["dark", "wide"]),
        (narrow, urls["light", "narrow"]),
    )
    lines = [f'<source media="{media}" srcset="{url}">' for media, url in sources]
    lines.append(f'<img alt="{_escape(text)}" src="{urls["light", "wide"]}">')
    return f"<picture>{''.join(lines)}</picture>"


def _escape(text: str) -> str:
    return html.escape(atomic_io.readable(text))
