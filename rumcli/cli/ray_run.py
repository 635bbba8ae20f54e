"""`rum train --ray`: one run on the workers of a Ray cluster, from its options to its summary."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rumcli import signals
from rumcli.cli import code, distributed, engine, running
from rumcli.errors import ConfigError
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.cli.showing import Showing
    from rumcli.config import RunConfig
    from rumcli.training.requirements import Requirement

# To a signal before the runs begin: Ray's processes take their time to end.
_ENDING_RAY = signals.Response("ending Ray; a second signal ends at once", delay=0.3)


def check(address: str | None, workers: int | None, placement: Any) -> None:
    """Check the options, before anything starts.

    Args:
        address: Of `--ray`.
        workers: Of `--workers`.
        placement: What the options for devices and hosts ask for; None if they ask for nothing.

    Raises:
        ConfigError: If they do not go together, Ray is missing, or nothing answers.
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
    distributed.require_jax(f"{flag} --workers {workers}")
    if importlib.util.find_spec("ray") is None:
        raise ConfigError(
            f"{flag}: needs ray, which is not installed: pip install 'rumcli[cluster]'"
        )
    from rumcli.jobs import cluster

    if address != cluster.LOCAL:
        cluster.check_address(address, "--ray")


def run(
    run: RunConfig,
    out: Path | None,
    resume: Path | None,
    required: list[Requirement],
    showing: Showing,
    address: str,
    workers: int,
    from_scratch: bool = False,
) -> None:
    """Train on a cluster, or continue a run there, and show its summary.

    Args:
        run: Configuration of the run.
        out: Run folder to create; None: one with the next free number.
        resume: Folder of the run that continues; None: it is a new one.
        required: Requirements on the summary.
        showing: How the run is shown.
        address: `"local"`, `"auto"` or HOST:PORT.
        workers: Number of processes.
        from_scratch: Whether a resumed run begins again.
    """
    from rumcli.jobs import ray_train
    from rumcli.reporting import progress
    from rumcli.training import group, material, requirements
    from rumcli.training.run_folder import RunFolder

    group.check_batch(run, workers, f"--workers {workers}")
    if resume is not None and running.show_finished(run, resume, required, showing, from_scratch):
        return
    requirements.check_early(required, run, requirements.OF_TRAINING)
    if resume is None:
        material.for_training(run, None)
        folder = RunFolder.create(out, run)
    else:
        folder = RunFolder.open(resume)
        with contextlib.ExitStack() as stack:  # the worker of process 0 takes it again
            running.take(folder, run, from_scratch, showing, stack)
    if not showing.quiet:
        output.note("starting Ray")
    listener = progress.listener(output.stderr(), showing.quiet, live=output.is_live())
    start = functools.partial(_start, showing.debug)
    with signals.responding(_ENDING_RAY):
        kind, content = ray_train.run(run, folder, address, workers, listener, start, showing.debug)
    if kind == "stopped":
        step, signal = content
        running.note_stop(folder, run, step)
        raise SystemExit(128 + signal)
    running.show_summary(content, required, showing)


def _start(debug: bool, run: RunConfig, first: Callable[[], None]) -> None:
    """Bring up Keras, JAX's runtime and the user's code, in a worker."""
    engine.start(debug, first, quiet=True)
    code.admit(run)
