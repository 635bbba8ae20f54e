"""`rum train`: build a configuration, train, and show the result.

Options that set a key of the configuration are fields of `TrainOptions` in `_run_arguments`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli.cli import _distributed, _keras_startup, _options, _run_arguments, _training
from rumcli.cli._options import OutputMode
from rumcli.cli._run_arguments import PlannedRun, TrainOptions
from rumcli.errors import ConfigError, RumError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.json_schemas.inputs import Estimate


@_options.takes(TrainOptions)
def train(
    options: TrainOptions,
    devices: Annotated[
        str | None,
        typer.Option(
            metavar="<int>|all",
            help="Number of devices in each process, which share every batch. Requires JAX, "
            "which emulates as many on a CPU. Default: one, or all with --coordinator.",
        ),
    ] = None,
    coordinator: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT|auto",
            envvar=["KERAS_DISTRIBUTION_JOB_ADDRESSES", "JAX_COORDINATOR_ADDRESS"],
            help="Address at which process 0 waits for the others, for a run on several hosts; "
            "auto: from Slurm, Open MPI or Kubernetes.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            metavar="<int>",
            envvar="KERAS_DISTRIBUTION_NUM_PROCESSES",
            help="Number of processes of the run, each started with the same command.",
        ),
    ] = None,
    process: Annotated[
        int | None,
        typer.Option(
            metavar="<int>",
            envvar="KERAS_DISTRIBUTION_PROCESS_ID",
            help="Index of this process, from 0; process 0 owns the run directory.",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        _options.real("Seconds within which all processes must join. Default: 300."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="local|auto|HOST:PORT",
            help="Train on a Ray cluster, with --workers: a new one on this machine, the one named "
            "in the environment, or the one at an address.",
        ),
    ] = None,
    workers: Annotated[
        int | None, _options.integer("Number of processes on the Ray cluster. Requires --ray.")
    ] = None,
    require: _options.Require = None,
    trust_code: _run_arguments.Trust = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show the complete configuration and the size of the run, and stop. With --quiet: "
            "the configuration only, without starting the backend.",
        ),
    ] = False,
    as_json: _options.Json = False,
    quiet: _options.Quiet = False,
    debug: _options.Debug = False,
) -> None:
    """Train a cell on a task, and score it relative to the task's baseline.

    Settings come from the task's preset, then --preset, then --set, then the other options. Ctrl-C
    saves the run and prints the command that resumes it.
    """
    from rumcli.training import requirements

    thresholds = requirements.parse(require or [])
    placement = _distributed.parse_placement(devices, coordinator, processes, process, timeout)
    output = OutputMode(as_json, quiet, debug)
    typed, data = (
        _run_arguments.typed(options),
        _options.converted(TrainOptions, options).get("data"),
    )
    if placement is not None and placement.rank > 0 and options.get("resume") is not None:
        # The directory is on the host of process 0.
        _distributed.check(placement, None)
        _distributed.follow(placement, None, data, trust_code, typed, output)
        return
    planned = _run_arguments.plan_run(options, (lambda text: None) if quiet else console.note)
    if dry_run:
        _dry_run(planned, trust_code, typed, output)
        return
    _run_arguments.check_trust(planned.config, trust_code, typed)
    _distributed.check(placement, planned.config)
    _training.check_ray(ray, workers, placement)
    if planned.has_all_subtasks and (placement is not None or ray is not None):
        flag = (
            "--ray" if ray is not None else "--devices" if coordinator is None else "--coordinator"
        )
        raise ConfigError(f"{flag} and --subtask all are mutually exclusive; train one subtask")
    if placement is not None and placement.rank > 0:
        _distributed.follow(placement, planned.config, data, trust_code, typed, output)
    elif ray is not None and workers is not None:
        _training.run_on_ray(planned, thresholds, output, ray, workers)
    else:
        _training.run(planned, thresholds, output, placement)


def _dry_run(planned: PlannedRun, trusted: bool, typed: list[str], output: OutputMode) -> None:
    """Show the configuration, then the size of the run, for which Keras builds the model."""
    from rumcli import config
    from rumcli.json_schemas.inputs import Configuration, DryRun
    from rumcli.reporting import result_tables

    if not output.as_json:
        console.show_text(config.to_yaml(planned.config))
    estimate: Estimate | None = None
    problem = None
    if not output.quiet:
        try:
            estimate = _estimate(planned, trusted, typed, output)
        except RumError as error:
            problem = str(error)
    if output.as_json:
        settings = Configuration.model_validate(planned.config.model_dump(mode="json"))
        fields: dict[str, Any] = {"estimate": estimate, "problem": problem}
        shown = {name: value for name, value in fields.items() if value is not None}
        console.show_document(DryRun(config=settings, **shown))
    elif estimate is not None:
        console.show_text(result_tables.estimate(estimate))
    elif problem is not None:
        console.show_text(f"# no estimate: {problem}")


def _estimate(planned: PlannedRun, trusted: bool, typed: list[str], output: OutputMode) -> Estimate:
    from rumcli.training import dataset_binding
    from rumcli.training.run_dir import RunDir

    run = planned.config
    if planned.has_all_subtasks:
        raise ConfigError("task.subtask is all; expected one subtask")
    _run_arguments.check_trust(run, trusted, typed)
    run_dir = None if planned.resume is None else RunDir.open(planned.resume)
    dataset = dataset_binding.for_training(run, run_dir)
    _keras_startup.start(output.debug)
    _run_arguments.load_trusted(run)
    from rumcli.training import run_environment

    with run_environment.restored_keras():
        return run_environment.estimate(run, dataset)
