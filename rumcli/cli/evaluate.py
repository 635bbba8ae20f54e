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
                help="For runs of ptb or babi: other data, or the new location of the run's data; "
                "as for 'rum train', and for babi also a single file.",
            ),
            convert=Path,
        ),
    ]
    examples: Annotated[
        int,
        Option(
            kind=int,
            typed=_options.integer(
                "For runs of babi: number of questions to show, wrongly answered ones first."
            ),
            doc="For runs of babi: number of questions to return, wrongly answered ones first.",
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
            convert=lambda length: [length] if isinstance(length, int) else list(length),
        ),
    ]
    save_predictions: Annotated[
        FilePath | None,
        Option(
            kind=Path | None,
            typed=typer.Option(
                metavar="FILE",
                help="Write the prediction for each sample to this file, as JSON Lines.",
            ),
            convert=Path,
        ),
    ]
    force: Annotated[
        bool,
        Option(
            kind=bool,
            typed=typer.Option("--force", help="Replace an existing file."),
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
    output = OutputMode(as_json, False, debug)
    outcome = execute(run, options, thresholds, trust_code, output)
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
    output: OutputMode,
) -> dict[str, Any]:
    """Evaluate a run, without showing the result.

    Args:
        run: Directory of the run.
        options: Options of the command, or arguments of the function.
        thresholds: Thresholds that the result must meet.
        trusted: Whether the user trusts all code named in the configuration.
        output: Output mode for messages.

    Returns:
        The result, with a verdict on each threshold.

    Raises:
        ConfigError: If an option, the data or a threshold is invalid.
        RunError: If the checkpoint is missing or damaged.
    """
    values = _options.converted(EvalOptions, options)
    split = _options.choose("--split", "split", values["split"], _SPLITS)
    checkpoint = values["checkpoint"]
    checkpoint = _options.choose("--checkpoint", "checkpoint", checkpoint, _options.CHECKPOINTS)
    examples, predictions_file = values["examples"], values.get("save_predictions")
    _options.at_least("--examples", 0, examples)
    from rumcli.config import Split, at_length
    from rumcli.tasks.registry import configs
    from rumcli.training import dataset_binding, requirements, resume
    from rumcli.training.run_dir import RunDir

    run_dir = RunDir.open(run)
    _run_arguments.check_trust(run_dir.config, trusted, training=False)
    requirements.check_early(thresholds, run_dir.config)
    if examples and not run_dir.config.task.shows_examples:
        tasks = " or ".join(
            f"'{name}'" for name, task_config in configs().items() if task_config.shows_examples
        )
        where = errors.option("--examples", examples)
        raise ConfigError(f"{where}: expected a run of {tasks}, got {run}")
    lengths = values.get("length", [])
    for length in lengths:
        at_length(run_dir.config, length)
    if predictions_file is not None:
        console.check_new_file(predictions_file, values["force"])
    dataset = dataset_binding.for_evaluation(run_dir, Split(split), values.get("data"))
    resume.require_checkpoint(run_dir, checkpoint)
    _keras_startup.start(output.debug, quiet=output.quiet)
    _run_arguments.load_trusted(run_dir.config, training=False)
    from rumcli.training import run_environment
    from rumcli.training.evaluation import evaluate_run

    def save(task: Task, model: keras.Model) -> None:
        if predictions_file is not None:
            report("predicting each sample")
            _save_predictions(task, model, Split(split), predictions_file, values["force"])

    with run_environment.restored_keras(), _status(output.quiet) as report:
        outcome = evaluate_run(
            run_dir, Split(split), checkpoint, dataset, examples, thresholds, lengths, report, save
        )
    if predictions_file is not None and not output.quiet:
        console.note(f"wrote {predictions_file}")
    return requirements.with_verdicts(thresholds, outcome)


def _save_predictions(
    task: Task, model: keras.Model, split: Split, path: Path, force: bool
) -> None:
    """Write the prediction for each sample, as JSON Lines."""
    from rumcli import atomic_io
    from rumcli.json_schemas.results import PredictionLine
    from rumcli.tasks import predictions

    with console.new_file(path, force) as file:
        for prediction in predictions.predict(task, model, split):
            line = atomic_io.to_json(PredictionLine(**prediction).to_dict())
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
