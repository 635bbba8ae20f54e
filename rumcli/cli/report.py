"""`rum report`: runs of one task as a page to pass on."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli import __version__
from rumcli.cli import options, plot, run_folders
from rumcli.errors import ConfigError
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.documents.analysis import Report
    from rumcli.training.run_folder import RunFolder

_DEFAULT = Path("report.html")
_FONT_SIZES = {"wide": 10.0, "narrow": 13.0}  # points; a narrow screen shrinks the picture


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run directories, or directories of runs."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Page to write. Default: report.html; with --json none.",
        ),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown on stdout instead of a page.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Write a report on runs of one task as one HTML page.

    It shows metrics beside the baseline, learning curves, differences between the configurations,
    the environment and the commands that repeat the runs. The page loads nothing from elsewhere.
    """
    if markdown and (as_json or out):
        raise ConfigError(f"--markdown and {'--json' if as_json else '--out'} exclude each other")
    page = None if markdown else out or (None if as_json else _DEFAULT)
    if page is not None:
        if page.suffix.lower() not in (".html", ".htm"):
            raise ConfigError(f"--out {page}: expected a name that ends in .html")
        output.check_new_file(page, force)
    from rumcli.reporting import report as pages
    from rumcli.training import report as contents
    from rumcli.training.run_folder import RunFolder

    found = [run.path for run in run_folders.find(runs, parts=False)]
    folders, labels = [RunFolder.open(path) for path in found], options.labels(found)
    content = contents.report(folders, labels, None if page is None else str(page))
    if markdown:
        output.show_text(pages.to_markdown(content))
        return
    if page is not None:
        text = pages.to_html(
            content, _curves(content, dict(zip(labels, folders, strict=True))), __version__
        )
        with output.new_file(page, force) as file:
            file.write(text.encode())
        output.note(f"wrote {page}")
    if as_json:
        output.show_document(content)


def _curves(content: Report, folders: dict[str, RunFolder]) -> dict[tuple[str, str], bytes]:
    """Draw the validations of the runs as SVG files, by theme and size of the screen."""
    import matplotlib

    from rumcli.reporting import curves

    key = f"val_{content.metric}"
    drawn = [
        curves.Curve(run.label, content.task, folders[run.label].records())
        for run in content.runs
        if run.validations
    ]
    levels = plot.levels_of(list(folders.values()), key)
    found = {}
    for theme, (screen, size) in itertools.product(curves.THEMES, _FONT_SIZES.items()):
        file = io.BytesIO()
        with matplotlib.rc_context({"font.size": size}):
            if drawn:
                curves.draw(drawn, levels, key, "steps", file, "svg", theme)
                found[theme, screen] = file.getvalue()
    return found
