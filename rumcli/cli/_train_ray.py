"""`rum train --ray`: one training run on the workers of a Ray cluster."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rumcli import signals
from rumcli.cli import _distributed, _keras_startup, _train_single, _trusted_code
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.cli._output_mode import OutputMode
    from rumcli.cli._planning import PlannedRun
    from rumcli.config import RunConfig
    from rumcli.training.requirements import Threshold

# Response to a signal before the run starts: Ray's processes take time to exit.
_ENDING_RAY = signals.Response("ending Ray; a second signal ends at once", delay=0.3)


def check(address: str | None, workers: int | None, placement: Any) -> None:
    """Check the options before anything starts.

    Args:
        address: Value of `--ray`.
        workers: Value of `--workers`.
        placement: Placement from the options for devices and hosts; None if there is none.

    Raises:
        ConfigError: If the options are incompatible, Ray is missing, or the address is unreachable.
    """
    if address is None:
        if workers is not None:
            raise ConfigError(
                f"--workers {workers}: expected --ray too; on one host without Ray: --devices "
                f"{workers}"
            )
        return
    flag = f"--ray {address}"
    if placement is not None:
        raise ConfigError(f"{flag}: excludes --devices and --coordinator; --workers is the number")
    if workers is None or workers < 1:
        shown = "" if workers is None else f" --workers {workers}"
        raise ConfigError(f"{flag}{shown}: expected --workers N, the number of processes")
    _distributed.require_jax(f"{flag} --workers {workers}")
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(
            f"{flag}: needs ray, which is not installed: pip install 'rumcli[cluster]'"
        )
    from rumcli.jobs import cluster

    if address != cluster.LOCAL:
        cluster.check_address(address, "--ray")


def run(
    planned: PlannedRun,
    required: list[Threshold],
    showing: OutputMode,
    address: str,
    workers: int,
) -> None:
    """Train or resume a run on a cluster, and show its summary.

    Args:
        planned: Run to train.
        required: Thresholds that the summary must meet.
        showing: Output mode.
        address: `"local"`, `"auto"` or HOST:PORT.
        workers: Number of processes.
    """
    from rumcli.jobs import ray_train
    from rumcli.reporting import train_progress
    from rumcli.training import dataset_binding, process_group, requirements
    from rumcli.training.run_dir import RunDir

    run = planned.config
    process_group.check_batch(run, workers, f"--workers {workers}")
    if finished := _train_single.finished_before(planned, required, showing):
        _train_single.show_summary(finished, required, showing)
        return
    requirements.check_early(required, run, requirements.OF_TRAINING)
    if planned.resume is None:
        dataset_binding.for_training(run, None)
        folder = RunDir.create(planned.out, run)
    else:
        folder = RunDir.open(planned.resume)
        with contextlib.ExitStack() as stack:  # unlocks: the worker of process 0 locks it again
            _train_single.take(folder, planned, showing, stack)
    if not showing.quiet:
        console.note("starting Ray")
    listener = train_progress.listener(console.stderr(), showing.quiet, live=console.is_live())
    start = functools.partial(_start, showing.debug)
    with signals.responding(_ENDING_RAY):
        kind, content = ray_train.run(run, folder, address, workers, listener, start, showing.debug)
    if kind == "stopped":
        step, signal = content
        raise _train_single.Stopped.at_step(folder, run, step, signal)
    _train_single.show_summary(_train_single.Finished(folder, content), required, showing)


def _start(debug: bool, run: RunConfig, first: Callable[[], None]) -> None:
    """Start Keras, JAX's runtime and custom code in a worker."""
    _keras_startup.start(debug, first, quiet=True)
    _trusted_code.load_trusted(run)
