"""`rum eval`: evaluate the weights of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli.cli import code, engine, options
from rumcli.cli.showing import Showing
from rumcli.errors import ConfigError
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.config import Split
    from rumcli.training.requirements import Requirement

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
    from rumcli.training import requirements

    required = requirements.parse(require or [])
    outcome = execute(
        run, split, checkpoint, data, examples, required, trust_code, Showing(as_json, False, debug)
    )
    if as_json:
        from rumcli.documents.results import Evaluation

        output.show_document(Evaluation.read(outcome))
    else:
        show(outcome)
    requirements.enforce(outcome)


def execute(
    run: Path,
    split: str,
    checkpoint: str,
    data: Path | None,
    examples: int,
    required: list[Requirement],
    trusted: bool,
    showing: Showing,
) -> dict[str, Any]:
    """Evaluate a run, without showing the result.

    Args:
        run: Directory of the run.
        split: Name of the split.
        checkpoint: `"best"` or `"last"`.
        data: Other data than the run's own; None for that.
        examples: Number of questions to return, for runs of bAbI.
        required: Requirements on the result.
        trusted: Whether the user trusts all code that the configuration names.
        showing: How messages are shown.

    Returns:
        The result, with a verdict on each requirement.

    Raises:
        ConfigError: If an option, the data or a requirement is invalid.
        RunError: If the checkpoint is missing or damaged.
    """
    split = options.choose("--split", "split", split, _SPLITS)
    checkpoint = options.choose("--checkpoint", "checkpoint", checkpoint, options.CHECKPOINTS)
    options.at_least("--examples", 0, examples)
    from rumcli.config import Split
    from rumcli.training import material as materials
    from rumcli.training import requirements, weights
    from rumcli.training.run_folder import RunFolder

    folder = RunFolder.open(run)
    code.check(folder.config, trusted, training=False)
    requirements.check_early(required, folder.config)
    is_babi = folder.config.task.name == "babi"
    if examples and not is_babi:
        raise ConfigError(f"--examples {examples}: {run} is not a run of 'babi'")
    material = materials.for_evaluation(folder, Split(split), data)
    weights.require(folder, checkpoint)
    engine.start(showing.debug, quiet=showing.quiet)
    code.admit(folder.config, training=False)
    from rumcli.training import session
    from rumcli.training.evaluation import evaluate_run

    look = _answers(Split(split), examples) if is_babi else None
    with session.restored(), _status(showing.quiet) as report:
        outcome = evaluate_run(folder, Split(split), checkpoint, material, look, required, report)
    return requirements.judged(required, outcome)


def show(outcome: dict[str, Any]) -> None:
    """Print the result of an evaluation, and the answers of a run of bAbI.

    Args:
        outcome: As `execute` returns it.
    """
    from rumcli.reporting import answers, tables

    output.show(tables.result(outcome))
    if "confusion" not in outcome:
        return
    output.show(answers.confusion(outcome["confusion"]))
    if outcome.get("stories"):
        output.show(answers.LEGEND)
    for example in outcome.get("stories", []):
        output.show(answers.example(example))


def _status(quiet: bool) -> contextlib.AbstractContextManager[Callable[[str], None]]:
    return contextlib.nullcontext(lambda text: None) if quiet else output.status()


def _answers(split: Split, count: int) -> Callable[[Any, Any], dict[str, Any]]:
    """Return what looks at the answers of a model of bAbI."""
    from rumcli.training import answering

    def look(task: Any, model: Any) -> dict[str, Any]:
        answered = answering.answer(task, model, split)
        found = {"confusion": answering.confusion(answered)}
        return {**found, "stories": answering.examples(answered, count)} if count else found

    return look
