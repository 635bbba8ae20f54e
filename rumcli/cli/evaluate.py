"""`rum eval`: evaluate the weights of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from rumcli import errors
from rumcli.cli import _keras_startup, _options, _run_arguments
from rumcli.cli._options import FilePath, Option, OutputMode
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    import keras

    from rumcli.config import Split
    from rumcli.tasks.base import Task
    from rumcli.training.requirements import Threshold

_SPLITS = ["validation", "test"]


class EvalOptions(TypedDict, total=False):
    """Options of `rum eval`, and arguments of `rumcli.evaluate`."""

    split: Annotated[
        str,
        Option(
            kind=str,
            typed=typer.Option(
                help="validation or test.",
                autocompletion=_options.completing(lambda: _SPLITS),
            ),
            default="test",
        ),
    ]
    checkpoint: Annotated[
        str,
        Option(
            kind=str,
            typed=_options.checkpoint(),
            default="best",
        ),
    ]
    data: Annotated[
        FilePath | None,
        Option(
            kind=Path | None,
            typed=typer.Option(
                metavar="PATH",
                help="For runs of ptb or babi, other data than the run's own, or where that is "
                "now; as for 'rum train', and for babi also one file.",
            ),
        ),
    ]
    examples: Annotated[
        int,
        Option(
            kind=int,
            typed=_options.integer(
                "For runs of babi: questions to show, wrongly answered ones first."
            ),
            doc="For runs of babi: questions to return, wrongly answered ones first.",
            default=0,
        ),
    ]
    length: Annotated[
        int | Sequence[int] | None,
        Option(
            kind=list[int] | None,
            typed=_options.integer(
                "Also evaluate on sequences of this length, for a task that has task.length. May "
                "be repeated."
            ),
            doc="One or more lengths of sequences at which to evaluate as well.",
        ),
    ]
    save_predictions: Annotated[
        FilePath | None,
        Option(
            kind=Path | None,
            typed=typer.Option(
                metavar="FILE",
                help="Write the prediction for each sample to this file, one JSON document a line.",
            ),
        ),
    ]
    force: Annotated[
        bool,
        Option(
            kind=bool,
            typed=typer.Option("--force", help="Replace a file that exists."),
            default=False,
        ),
    ]


@_options.takes(EvalOptions)
def evaluate(
    options: EvalOptions,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    require: _options.Require = None,
    trust_code: _run_arguments.Trust = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Evaluate a run on a split, and compare it with the task's baseline."""
    from rumcli.training import requirements

    thresholds = requirements.parse(require or [])
    showing = OutputMode(as_json, False, debug)
    outcome = execute(run, options, thresholds, trust_code, showing)
    if as_json:
        from rumcli.json_schemas.results import Evaluation

        console.show_document(Evaluation.read(outcome))
    else:
        show(outcome)
    requirements.enforce(outcome)


def execute(
    run: Path,
    options: EvalOptions,
    thresholds: list[Threshold],
    trusted: bool,
    showing: OutputMode,
) -> dict[str, Any]:
    """Evaluate a run, without showing the result.

    Args:
        run: Directory of the run.
        options: Options of the command, or arguments of the function.
        thresholds: Thresholds that the result must meet.
        trusted: Whether the user trusts all code named in the configuration.
        showing: Output mode for messages.

    Returns:
        The result, with a verdict on each threshold.

    Raises:
        ConfigError: If an option, the data or a threshold is invalid.
        RunError: If the checkpoint is missing or damaged.
    """
    given = _options.filled(EvalOptions, options)
    split = _options.choose("--split", "split", given["split"], _SPLITS)
    checkpoint = given["checkpoint"]
    checkpoint = _options.choose("--checkpoint", "checkpoint", checkpoint, _options.CHECKPOINTS)
    examples, data = given["examples"], given["data"]
    _options.at_least("--examples", 0, examples)
    from rumcli.config import Split, at_length
    from rumcli.tasks.registry import configs
    from rumcli.training import dataset_binding, requirements, resume
    from rumcli.training.run_dir import RunDir

    folder = RunDir.open(run)
    _run_arguments.check_trust(folder.config, trusted, training=False)
    requirements.check_early(thresholds, folder.config)
    if examples and not folder.config.task.shows_examples:
        able = " or ".join(f"'{name}'" for name, one in configs().items() if one.shows_examples)
        where = errors.option("--examples", examples)
        raise ConfigError(f"{where}: {run} is not a run of {able}")
    lengths = [given["length"]] if isinstance(given["length"], int) else given["length"] or ()
    for length in lengths:
        at_length(folder.config, length)
    saved = given["save_predictions"]
    if saved is not None:
        console.check_new_file(Path(saved), given["force"])
    dataset = dataset_binding.for_evaluation(folder, Split(split), data and Path(data))
    resume.require_checkpoint(folder, checkpoint)
    _keras_startup.start(showing.debug, quiet=showing.quiet)
    _run_arguments.load_trusted(folder.config, training=False)
    from rumcli.training import run_environment
    from rumcli.training.evaluation import evaluate_run

    def save(task: Task, model: keras.Model) -> None:
        if saved is not None:
            report("predicting each sample")
            _save_predictions(task, model, Split(split), Path(saved), given["force"])

    with run_environment.restored_keras(), _status(showing.quiet) as report:
        outcome = evaluate_run(
            folder, Split(split), checkpoint, dataset, examples, thresholds, lengths, report, save
        )
    if saved is not None and not showing.quiet:
        console.note(f"wrote {saved}")
    return requirements.with_verdicts(thresholds, outcome)


def _save_predictions(
    task: Task, model: keras.Model, split: Split, path: Path, force: bool
) -> None:
    """Write the prediction for each sample, as JSON Lines."""
    from rumcli import atomic_io
    from rumcli.json_schemas.results import PredictionLine
    from rumcli.tasks import predictions

    with console.new_file(path, force) as file:
        for found in predictions.predict(task, model, split):
            line = atomic_io.to_json(PredictionLine(**found).to_dict())
            file.write(line.encode() + b"\n")


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
