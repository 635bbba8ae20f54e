"""`rum eval`: evaluate the weights of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli.cli import code, engine, options
from rumcli.errors import ConfigError
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.config import Split

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
            help="For runs of ptb or babi, other data than the run's own, or where that is now; "
            "as for 'rum train', and for babi also one file.",
        ),
    ] = None,
    examples: Annotated[
        int,
        options.integer("For runs of babi: questions to show, wrongly answered ones first."),
    ] = 0,
    require: options.Require = None,
    trust_code: code.Trust = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Evaluate a run on a split, beside the task's reference level."""
    split = options.choose("--split", "split", split, _SPLITS)
    checkpoint = options.choose("--checkpoint", "checkpoint", checkpoint, options.CHECKPOINTS)
    options.at_least("--examples", 0, examples)
    from rumcli.config import Split
    from rumcli.training import material as materials
    from rumcli.training import requirements, weights
    from rumcli.training.run_folder import RunFolder

    required = requirements.parse(require or [])
    folder = RunFolder.open(run)
    code.check(folder.config, trust_code, training=False)
    requirements.check_early(required, folder.config)
    if examples and folder.config.task.name != "babi":
        raise ConfigError(f"--examples {examples}: {run} is not a run of 'babi'")
    material = materials.for_evaluation(folder, Split(split), data)
    weights.require(folder, checkpoint)
    engine.start(debug)
    code.admit(folder.config, training=False)
    from rumcli.documents.results import Evaluation
    from rumcli.reporting import tables
    from rumcli.training.evaluation import evaluate_run

    is_babi = folder.config.task.name == "babi"
    look = _answers(Split(split), examples) if is_babi else None
    with output.status() as report:
        outcome = evaluate_run(folder, Split(split), checkpoint, material, look, required, report)
    outcome = requirements.judged(required, outcome)
    if as_json:
        output.show_document(Evaluation.read(outcome))
    else:
        output.show(tables.result(outcome))
        if is_babi:
            _show_answers(outcome)
    requirements.enforce(outcome)


def _answers(split: Split, count: int) -> Callable[[Any, Any], dict[str, Any]]:
    """Return what looks at the answers of a model of bAbI."""
    from rumcli.training import answering

    def look(task: Any, model: Any) -> dict[str, Any]:
        answered = answering.answer(task, model, split)
        found = {"confusion": answering.confusion(answered)}
        return {**found, "stories": answering.examples(answered, count)} if count else found

    return look


def _show_answers(outcome: dict[str, Any]) -> None:
    from rumcli.reporting import answers

    output.show(answers.confusion(outcome["confusion"]))
    if outcome.get("stories"):
        output.show(answers.LEGEND)
    for example in outcome.get("stories", []):
        output.show(answers.example(example))
