"""`rum train`: build a configuration, train, and show the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli.cli import _distributed, _options, _run_arguments, _training
from rumcli.cli._options import OutputMode
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.config import RunConfig

_ON_NON_FINITE = ["stop", "skip"]


def train(
    task: Annotated[
        str | None,
        typer.Argument(
            metavar="TASK",
            help="copying, recall, babi, ptb, or a task of yours as package.module:Class. May be "
            "left out with --resume or a preset that names it.",
            autocompletion=_options.completing(_options.tasks),
        ),
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            help="rum, arum, lnlstm, fsrnn, eunn, goru, lstm, gru, rnn, or a layer of yours as "
            "package.module:Class. Default: the preset's.",
            autocompletion=_options.completing(_options.cells),
        ),
    ] = None,
    norm: Annotated[
        float | None, _options.real("Time norm η > 0 of rum and arum. Default: the preset's.")
    ] = None,
    hidden: Annotated[
        int | None, _options.integer("Size of the cell's state, in units. Default: the preset's.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Text of ptb: a directory with train, valid and test files, or one file to split "
            "90/5/5. Stories of babi: the official archive or a folder of it; default: generated. "
            "With --resume: where they are now.",
        ),
    ] = None,
    subtask: Annotated[
        str | None,
        typer.Option(
            metavar="<int>|all",
            help="Number of the bAbI subtask, 1 to 20, or all. Default: the preset's.",
        ),
    ] = None,
    delay: Annotated[
        int | None,
        _options.integer("T of copying and recall, in time steps. Default: the preset's."),
    ] = None,
    steps: Annotated[
        int | None,
        _options.integer("Length of the run, in training steps. Default: the preset's."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="NAME>=NUMBER",
            help="Finish the run at the first validation that meets the threshold, such as "
            "'accuracy>=0.999'; also <=, > and <. Default: the preset's.",
        ),
    ] = None,
    batch_size: Annotated[
        int | None, _options.integer("Examples per training step. Default: the preset's.")
    ] = None,
    learning_rate: Annotated[
        float | None, _options.real("Step size of the optimizer. Default: the preset's.")
    ] = None,
    seed: Annotated[
        int | None, _options.integer("Seed of data, weights, dropout and zoneout. Default: 1.")
    ] = None,
    on_non_finite: Annotated[
        str | None,
        typer.Option(
            metavar="stop|skip",
            help="Response to a non-finite loss or gradient: stop the run or skip the "
            "step. Default: stop.",
            autocompletion=_options.completing(lambda: _ON_NON_FINITE),
        ),
    ] = None,
    callbacks: Annotated[
        list[str] | None,
        typer.Option(
            "--callback",
            metavar="package.module:Class",
            help="A Keras callback of your own. May be repeated.",
        ),
    ] = None,
    loggers: Annotated[
        list[str] | None,
        typer.Option(
            "--logger",
            metavar="NAME",
            help="Also log to tensorboard, csv, mlflow, wandb or trackio. May be repeated. "
            "Default: the preset's.",
            autocompletion=_options.completing(_options.loggers),
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="A preset's name, or a file such as a run's config.yaml. Default: the task's.",
            autocompletion=_options.completing(_options.presets),
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY.PATH=VALUE",
            help="Set any key of the configuration, as in train.eval_every=50. May be repeated.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Run directory to create. Default: runs/TASK-CELL-1, or the next free number."
        ),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Resume the run in this directory exactly.")
    ] = None,
    from_scratch: Annotated[
        bool,
        typer.Option(
            "--from-scratch",
            help="With --resume: delete the run's checkpoints and record, and begin again.",
        ),
    ] = False,
    devices: Annotated[
        str | None,
        typer.Option(
            metavar="<int>|all",
            help="Number of devices that share every batch, in each process. Needs JAX; "
            "on a CPU, JAX makes as many. Default: one, and all with --coordinator.",
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
            help="Number of this process, from 0; process 0 owns the run directory.",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        _options.real("Seconds in which all processes must have joined. Default: 300."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="local|auto|HOST:PORT",
            help="Train on a Ray cluster, with --workers: one of this machine, the one that the "
            "environment names, or the one at an address.",
        ),
    ] = None,
    workers: Annotated[
        int | None, _options.integer("Number of processes on the Ray cluster. Needs --ray.")
    ] = None,
    require: _options.Require = None,
    trust_code: _run_arguments.Trust = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the complete configuration and stop.")
    ] = False,
    as_json: _options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show warnings and errors only.")] = False,
    debug: _options.Debug = False,
) -> None:
    """Train a cell on a task, and score it relative to the task's baseline.

    Settings come from the task's preset, then --preset, then --set, then the other options. Ctrl-C
    saves the run and prints the command that resumes it.
    """
    from rumcli.training import requirements

    required = requirements.parse(require or [])
    placement = _distributed.asked(devices, coordinator, processes, process, timeout)
    given = _run_arguments.RunOptions(
        task=task,
        cell=cell,
        norm=norm,
        hidden=hidden,
        data=data,
        subtask=subtask,
        delay=delay,
        steps=steps,
        until=until,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
        on_non_finite=on_non_finite,
        preset=preset,
        callbacks=callbacks or (),
        loggers=loggers or (),
        set=set_ or (),
        out=out,
        resume=resume,
        from_scratch=from_scratch,
    )
    showing = OutputMode(as_json, quiet, debug)
    if placement is not None and placement.rank > 0 and resume is not None:
        # The directory is on the host of process 0.
        _distributed.check(placement, None)
        _distributed.follow(placement, None, data, trust_code, given.typed, showing)
        return
    planned = _run_arguments.plan_run(given)
    if dry_run:
        _show_config(planned.config, as_json)
        return
    _run_arguments.check_trust(planned.config, trust_code, given.typed)
    _distributed.check(placement, planned.config)
    _training.check_ray(ray, workers, placement)
    if planned.has_all_subtasks and (placement is not None or ray is not None):
        flag = (
            "--ray" if ray is not None else "--devices" if coordinator is None else "--coordinator"
        )
        raise ConfigError(f"{flag} and --subtask all exclude each other; train one subtask")
    if placement is not None and placement.rank > 0:
        _distributed.follow(placement, planned.config, data, trust_code, given.typed, showing)
    elif ray is not None and workers is not None:
        _training.run_on_ray(planned, required, showing, ray, workers)
    else:
        _training.run(planned, required, showing, placement)


def _show_config(run: RunConfig, as_json: bool) -> None:
    from rumcli import config
    from rumcli.json_schemas.inputs import Configuration, DryRun

    if as_json:
        settings = Configuration.model_validate(run.model_dump(mode="json"))
        console.show_document(DryRun(config=settings))
    else:
        console.show_text(config.to_yaml(run))
