"""`rum data`: the splits of a text or stories, and the size of a run on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rumcli.cli import _options
from rumcli.errors import RunError
from rumcli.reporting import console


def data(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="Data as for 'rum train --data': a text file or directory, or an archive, "
            "directory or file of bAbI.",
        ),
    ],
    preset: Annotated[
        str | None,
        typer.Option(
            help="Preset of the run, or a file. Default: ptb for a text, babi for stories.",
            autocompletion=_options.completing(_options.presets),
        ),
    ] = None,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Show the splits of a text or of stories, their overlap, and the size of a run on them.

    Exits with 1 if 'rum train' would reject the text, or all subtasks of the stories.
    """
    from rumcli.json_schemas.inputs import TextData
    from rumcli.tasks import registry

    with console.status() as report:
        summary = registry.summarize_data(path, preset, report)
    if as_json:
        console.show_document(summary)
    else:
        from rumcli.reporting import input_tables as tables

        console.show(
            tables.text_data(summary)
            if isinstance(summary, TextData)
            else tables.stories_data(summary)
        )
    if isinstance(summary, TextData):
        problems = [summary.problem]
    else:
        problems = [one.problem for one in summary.subtasks]
    if all(problems):
        raise RunError(f"'rum train' rejects it: {problems[0]}")
