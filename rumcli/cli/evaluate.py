"""`rum eval`: evaluate the weights of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rumcli.cli import engine, options
from rumcli.reporting import output

_SPLITS = ["validation", "test"]


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    split: Annotated[
        str,
        typer.Option(
            help="validation or test.",
            autocompletion=options.completing(lambda: _SPLITS),
        ),
    ] = "test",
    checkpoint: options.Checkpoint = "best",
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="For runs of ptb, another text than the run's own, or where that is now: a folder "
            "with train, valid and test files, or one file, split 90/5/5.",
        ),
    ] = None,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Evaluate a run on a split, beside the task's reference level."""
    options.choose("--split", "split", split, _SPLITS)
    options.choose("--checkpoint", "checkpoint", checkpoint, options.CHECKPOINTS)
    from rumcli.config import Split
    from rumcli.training import texts
    from rumcli.training.run_folder import RunFolder

    folder = RunFolder.open(run)
    text = texts.for_evaluation(folder, Split(split), data)
    engine.start(debug)
    from rumcli.reporting import tables
    from rumcli.training.evaluation import evaluate_run

    outcome = evaluate_run(folder, Split(split), checkpoint, text)
    if as_json:
        output.show_json(outcome)
    else:
        output.show(tables.result(outcome))
