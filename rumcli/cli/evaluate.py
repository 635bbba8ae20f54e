"""`rum eval`: evaluate the weights of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rumcli.cli import engine, options
from rumcli.reporting import output

_SPLITS = ["validation", "test"]
_CHECKPOINTS = ["best", "last"]


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    split: Annotated[
        str,
        typer.Option(
            help="validation or test.",
            autocompletion=options.completing(lambda: _SPLITS),
        ),
    ] = "test",
    checkpoint: Annotated[
        str,
        typer.Option(
            help="best (by validation) or last.",
            autocompletion=options.completing(lambda: _CHECKPOINTS),
        ),
    ] = "best",
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Evaluate a run on a split, beside the task's reference level."""
    options.choose("--split", "split", split, _SPLITS)
    options.choose("--checkpoint", "checkpoint", checkpoint, _CHECKPOINTS)
    from rumcli.config import Split
    from rumcli.training.run_folder import RunFolder

    folder = RunFolder.open(run)
    engine.start(debug)
    from rumcli.reporting import tables
    from rumcli.training.evaluation import evaluate_run

    outcome = evaluate_run(folder, Split(split), checkpoint)
    if as_json:
        output.show_json(outcome)
    else:
        output.show(tables.result(outcome))
