"""`rum report`: a shareable HTML page on runs of one task."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli import __version__
from rumcli.cli import _options, _run_arguments, plot
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.json_schemas.analysis import Report
    from rumcli.training.run_dir import RunDir

_DEFAULT = Path("report.html")
_FONT_SIZES = {"wide": 10.0, "narrow": 13.0}  # points; a narrow screen scales the plot down


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run directories, or directories of runs."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Page to write. Default: report.html; none with --json.",
        ),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown on stdout instead of a page.")
    ] = False,
    force: _options.Force = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Write a report on runs of one task as one HTML page.

    It shows metrics beside the baseline, learning curves, differences between the configurations,
    the environment and the commands that repeat the runs. The page loads no external resources.
    """
    if markdown and (as_json or out):
        raise ConfigError(
            f"--markdown and {'--json' if as_json else '--out'} are mutually exclusive"
        )
    page = None if markdown else out or (None if as_json else _DEFAULT)
    if page is not None:
        if page.suffix.lower() not in (".html", ".htm"):
            raise ConfigError(f"--out {page}: expected a name that ends in .html")
        console.check_new_file(page, force)
    from rumcli.analysis import comparison
    from rumcli.reporting import html_report
    from rumcli.training.run_dir import RunDir

    paths = [run.path for run in _run_arguments.find_run_dirs(runs, parts=False)]
    run_dirs, labels = [RunDir.open(path) for path in paths], _options.labels(paths)
    content = comparison.report_runs(run_dirs, labels, None if page is None else str(page))
    if markdown:
        console.show_text(html_report.to_markdown(content))
        return
    if page is not None:
        text = html_report.to_html(
            content, _curves(content, dict(zip(labels, run_dirs, strict=True))), __version__
        )
        with console.new_file(page, force) as file:
            file.write(text.encode())
        console.note(f"wrote {page}")
    if as_json:
        console.show_document(content)


def _curves(content: Report, run_dirs: dict[str, RunDir]) -> dict[tuple[str, str], bytes]:
    """Draw the validations of the runs as SVG files, by theme and screen size."""
    import matplotlib

    from rumcli.reporting import plots

    key = f"val_{content.metric}"
    curves = [
        plots.Curve(run.label, content.task, run_dirs[run.label].records())
        for run in content.runs
        if run.validations
    ]
    levels = plot.levels_of(list(run_dirs.values()), key)
    paths = {}
    for theme, (screen, size) in itertools.product(plots.THEMES, _FONT_SIZES.items()):
        file = io.BytesIO()
        with matplotlib.rc_context({"font.size": size}):
            if curves:
                plots.draw_curves(curves, levels, key, "steps", file, "svg", theme)
                paths[theme, screen] = file.getvalue()
    return paths
