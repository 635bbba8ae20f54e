"""`rum eval`: evaluate the weights of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli.cli import _keras_startup, _options, _run_arguments
from rumcli.cli._options import OutputMode
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.training.requirements import Threshold

_SPLITS = ["validation", "test"]


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    split: Annotated[
        str,
        typer.Option(
            help="validation or test.",
            autocompletion=_options.completing(lambda: _SPLITS),
        ),
    ] = "test",
    checkpoint: _options.CheckpointOption = "best",
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
        _options.integer("For runs of babi: questions to show, wrongly answered ones first."),
    ] = 0,
    length: Annotated[
        list[int] | None,
        _options.integer(
            "Also evaluate on sequences of this length, for a task that has task.length. May be "
            "repeated."
        ),
    ] = None,
    require: _options.Require = None,
    trust_code: _run_arguments.Trust = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Evaluate a run on a split, and compare it with the task's baseline."""
    from rumcli.training import requirements

    required = requirements.parse(require or [])
    outcome = execute(
        run,
        split,
        checkpoint,
        data,
        examples,
        required,
        trust_code,
        OutputMode(as_json, False, debug),
        length or (),
    )
    if as_json:
        from rumcli.json_schemas.results import Evaluation

        console.show_document(Evaluation.read(outcome))
    else:
        show(outcome)
    requirements.enforce(outcome)


def execute(
    run: Path,
    split: str,
    checkpoint: str,
    data: Path | None,
    examples: int,
    required: list[Threshold],
    trusted: bool,
    showing: OutputMode,
    lengths: Sequence[int] = (),
) -> dict[str, Any]:
    """Evaluate a run, without showing the result.

    Args:
        run: Directory of the run.
        split: Name of the split.
        checkpoint: `"best"` or `"last"`.
        data: Path of other data; None for the data of the run.
        examples: Number of questions to return, for bAbI.
        required: Thresholds that the result must meet.
        trusted: Whether the user trusts all code named in the configuration.
        showing: Output mode for messages.
        lengths: Lengths of sequences at which to evaluate as well.

    Returns:
        The result, with a verdict on each threshold.

    Raises:
        ConfigError: If an option, the data or a threshold is invalid.
        RunError: If the checkpoint is missing or damaged.
    """
    split = _options.choose("--split", "split", split, _SPLITS)
    checkpoint = _options.choose("--checkpoint", "checkpoint", checkpoint, _options.CHECKPOINTS)
    _options.at_least("--examples", 0, examples)
    from rumcli.config import Split, at_length
    from rumcli.tasks.registry import configs
    from rumcli.training import dataset_binding as materials
    from rumcli.training import requirements, resume
    from rumcli.training.run_dir import RunDir

    folder = RunDir.open(run)
    _run_arguments.check_trust(folder.config, trusted, training=False)
    requirements.check_early(required, folder.config)
    if examples and not folder.config.task.shows_examples:
        able = " or ".join(f"'{name}'" for name, one in configs().items() if one.shows_examples)
        raise ConfigError(f"--examples {examples}: {run} is not a run of {able}")
    for length in lengths:
        at_length(folder.config, length)
    dataset = materials.for_evaluation(folder, Split(split), data)
    resume.require_checkpoint(folder, checkpoint)
    _keras_startup.start(showing.debug, quiet=showing.quiet)
    _run_arguments.load_trusted(folder.config, training=False)
    from rumcli.training import run_environment
    from rumcli.training.evaluation import evaluate_run

    with run_environment.restored_keras(), _status(showing.quiet) as report:
        outcome = evaluate_run(
            folder, Split(split), checkpoint, dataset, examples, required, lengths, report
        )
    return requirements.with_verdicts(required, outcome)


def show(outcome: dict[str, Any]) -> None:
    """Print the result of an evaluation, and the predictions of a bAbI run.

    Args:
        outcome: Result of `execute`.
    """
    from rumcli.reporting import result_tables

    console.show(result_tables.result(outcome))
    if "lengths" in outcome:
        console.show(result_tables.lengths(outcome["lengths"], outcome["metric"]))
    if "confusion" not in outcome:
        return
    console.show(result_tables.babi_confusion(outcome["confusion"]))
    if outcome.get("stories"):
        console.show(result_tables.BABI_LEGEND)
    for example in outcome.get("stories", []):
        console.show(result_tables.babi_example(example))


def _status(quiet: bool) -> contextlib.AbstractContextManager[Callable[[str], None]]:
    return contextlib.nullcontext(lambda text: None) if quiet else console.status()
