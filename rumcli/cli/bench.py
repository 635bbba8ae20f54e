"""`rum bench`: duration of a training step compared with Keras's cells, on one or more backends.

A worker process measures on the backend of its environment: `python -m rumcli.cli.bench [--debug]`.
Each line on its stdin is a JSON request. Each line on its stdout is a `status`, or the `result` or
`error` of a request. The process exits at the end of stdin. The client is
`rumcli.benchmark.workers`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli import backends, parsing
from rumcli.cli import _options
from rumcli.errors import ConfigError, RumError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.benchmark.cases import BenchPoint, Case, Pace, Subject
    from rumcli.benchmark.measure import Measurement
    from rumcli.benchmark.workers import BackendWorker
    from rumcli.json_schemas.measurements import Axis

_DEBUG = "--debug"


class Worker:
    """Handler of the requests.

    Args:
        report: Receives a description of the current activity.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._measurement: Measurement | None = None

    def machine(self) -> dict[str, Any]:
        """Return processor, number of cores, accelerators, backend and versions."""
        from rumcli.benchmark import measure

        return measure.describe_host()

    def prepare(self, case: dict[str, Any], subjects: list[dict[str, Any]]) -> list[Any]:
        """Build subjects; return the number of weights and the time of the first step for each."""
        from rumcli.benchmark.cases import Case, Subject
        from rumcli.benchmark.measure import Measurement

        if self._measurement is not None:
            self._measurement.close()
        chosen = [Subject(**subject) for subject in subjects]
        self._measurement = Measurement(Case(**case), chosen, self._report)
        return [
            {"parameters": timing.parameters, "first_step": timing.first_step}
            for timing in self._measurement.timings
        ]

    def round(self) -> list[float | None]:
        """Return a timing sample for each subject."""
        assert self._measurement is not None
        return self._measurement.round()

    def pace(self, task: str, cell: str, rounds: int) -> dict[str, Any]:
        """Compare the duration of training runs with that of the bare steps."""
        from rumcli.benchmark.self_check import measure_pace
        from rumcli.reporting import console, train_progress

        # Renders progress as for a terminal, because rendering is part of the measured overhead.
        nowhere = console.nowhere()
        return dataclasses.asdict(
            measure_pace(
                task,
                cell,
                rounds,
                lambda: train_progress.listener(nowhere, quiet=False, live=True),
                self._report,
            )
        )


def serve(lines: Iterable[str], send: Callable[[dict[str, Any]], None], debug: bool) -> None:
    """Handle requests until the end of the input or the first error.

    Args:
        lines: JSON requests.
        send: Receives each reply.
        debug: Whether to print the traceback of an error.
    """
    from rumcli.cli import _keras_startup

    worker = Worker(lambda text: send({"status": text}))
    try:
        _keras_startup.start(debug, quiet=True)
        for line in lines:
            request = parsing.parse_json(line)
            send({"result": getattr(worker, request.pop("request"))(**request)})
    except Exception as error:
        if debug:
            traceback.print_exc()
        message = str(error) if isinstance(error, RumError) else f"{type(error).__name__}: {error}"
        send({"error": message, "usage": isinstance(error, ConfigError)})


def _main() -> None:
    # Ctrl-C reaches the whole process group; the parent handles it and terminates this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Keeps the output of libraries out of the replies.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(reply: dict[str, Any]) -> None:
        out.write(json.dumps(reply) + "\n")
        out.flush()

    serve(sys.stdin, send, debug=_DEBUG in sys.argv)


def _cases() -> list[str]:
    from rumcli.benchmark.cases import CASES

    return list(CASES)


def _cells() -> list[str]:
    from rumcli.benchmark.cases import CELLS

    return list(CELLS)


def bench(
    task: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>",
            help="copying, recall, characters, fast-slow or state_tracking. May be repeated. "
            "Default: all.",
            autocompletion=_options.completing(_cases),
        ),
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>",
            help="A cell of 'rum cells', such as rum or gru. May be repeated. Default: all that "
            "suit the task.",
            autocompletion=_options.completing(_cells),
        ),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>",
            help="tensorflow, jax or torch, each in a separate process. May be repeated, to "
            "compare them. Default: the backend of the other commands.",
            autocompletion=_options.completing(lambda: backends.TITLES),
        ),
    ] = None,
    rounds: Annotated[int, _options.integer("Samples of each, at least 1.")] = 7,
    series: Annotated[
        bool | None,
        typer.Option(
            "--series/--no-series",
            help="Measure the time as a function of T and of H, on one backend. Default: unless "
            "--task or several backends are given.",
        ),
    ] = None,
    training: Annotated[
        bool | None,
        typer.Option(
            "--training/--no-training",
            help="Compare the speed of 'rum train' with that of a bare step, on TensorFlow. "
            "Default: as --series.",
        ),
    ] = None,
    memory: Annotated[
        bool | None,
        typer.Option(
            "--memory/--no-memory",
            help="Measure peak memory, in a separate process of ten seconds for each cell. "
            "Default: on one backend.",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Plot to write: a .png, .svg or .pdf file.")
    ] = None,
    force: _options.Force = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Time forward, backward and update of RUM and ARUM, compared with Keras's GRU and LSTM.

    The cells are measured in turn. The ratio is to the faster GRU on the same backend. On torch,
    PyTorch's nn.GRU and nn.LSTM are measured too. A full run takes a quarter of an hour on two
    cores, --task copying takes two minutes, and each further backend as long again.
    """
    task = [_options.choose("--task", "task", name, _cases()) for name in task or []]
    cell = [_options.choose("--cell", "cell", name, _cells()) for name in cell or []]
    _options.at_least("--rounds", 1, rounds)
    kind = _options.check_plot_file("--plot", plot, force) if plot is not None else ""
    names = _backends(backend or [])
    is_alone = len(names) == 1
    if series and not is_alone:
        raise ConfigError("--series measures one backend; expected a single --backend")
    if training and names != ["tensorflow"]:
        raise ConfigError("--training measures TensorFlow only; expected --backend tensorflow")
    measures_all = not task and is_alone
    series = measures_all if series is None else series
    training = measures_all if training is None else training
    from rumcli.benchmark.cases import BenchPoint, benchmark_document
    from rumcli.benchmark.workers import measure_backends

    with console.status() as report, _started(names, report, debug) as workers:
        hosts = [one.machine() for one in workers]
        points = []
        for case, axis, subjects in _plan(task, cell, names, series):
            points.append(
                BenchPoint(case, measure_backends(case, workers, subjects, rounds, report), axis)
            )
            if is_alone if memory is None else memory:
                _measure_memory(points[-1], report)
            if axis is None and not as_json:
                _show_case(benchmark_document(points, hosts).to_dict()["cases"][-1], is_alone)
        paces = _paces(task, cell, workers[0], rounds) if training else []
    document = benchmark_document(points, hosts, paces)
    content = document.to_dict()
    if as_json:
        console.show_document(document)
    else:
        _show_rest(content)
    if plot is not None:
        from rumcli.reporting import plots

        with console.new_file(plot, force) as file:
            plots.draw_benchmark(content, file, kind)
        console.note(f"wrote {plot}")


def _backends(named: list[str]) -> list[str]:
    """Return the installed backends to measure; the first is the reference for the ratios."""
    if not named:
        return [backends.require()]
    named = [_options.choose("--backend", "backend", name, backends.TITLES) for name in named]
    for name in named:
        backends.require_installed(name)
    return list(dict.fromkeys(named))


@contextlib.contextmanager
def _started(
    names: list[str], report: Callable[[str], None], debug: bool
) -> Iterator[list[BackendWorker]]:
    """Start a process for each backend in parallel; stop them after the block."""
    from rumcli.benchmark.workers import BackendWorker

    report(f"starting {', '.join(backends.TITLES.get(name, name) for name in names)}")
    with contextlib.ExitStack() as stack:
        workers = []
        for name in names:
            workers.append(BackendWorker(name, len(names) == 1, report, debug))
            stack.callback(workers[-1].close)
        yield workers


def _plan(
    tasks: list[str], cell_names: list[str], names: list[str], with_series: bool
) -> list[tuple[Case, Axis | None, dict[str, list[Subject]]]]:
    """Return each size, its axis if it belongs to a series, and its subjects by backend."""
    from rumcli.benchmark import cases

    document: list[Any] = []
    for name in dict.fromkeys(tasks or cases.CASES):
        case = cases.CASES[name]
        subjects = {
            backend: cases.subjects(case, cell_names or cases.default_cells(case, backend), backend)
            for backend in names
        }
        document.append((case, None, subjects))
    if with_series:
        (backend,) = names
        points = cases.series(cell_names or ["rum", "arum"], backend)
        document += [(case, axis, {backend: subjects}) for axis, case, subjects in points]
    return document


def _measure_memory(point: BenchPoint, report: Callable[[str], None]) -> None:
    from rumcli.benchmark.workers import peak_memory

    # In a series, measure only our cells over T, on which their memory depends.
    for timing in point.timings if point.axis != "units" else []:
        if point.axis is None or timing.subject.cell not in ("gru", "lstm"):
            report(f"{point.case.name}: memory of {timing.subject.label} on {timing.backend}")
            timing.peak_memory = peak_memory(point.case, timing.subject, timing.backend)


def _paces(tasks: list[str], cells: list[str], on: BackendWorker, rounds: int) -> list[Pace]:
    from rumcli.benchmark.cases import TRAINED, Pace

    if on.backend != "tensorflow":
        return []
    subjects = [name for name in dict.fromkeys(cells or ["rum"]) if name in _options.cells()]
    return [
        Pace(**on.pace(name, cell, rounds))
        for name in TRAINED
        if name in (tasks or TRAINED)
        for cell in subjects
    ]


def _show_case(point: dict[str, Any], is_alone: bool) -> None:
    from rumcli.reporting import measurement_tables as tables

    console.show(tables.bench_case(point) if is_alone else tables.bench_backends(point))


def _show_rest(content: dict[str, Any]) -> None:
    from rumcli.reporting import measurement_tables as tables

    for axis in dict.fromkeys(point["axis"] for point in content["series"]):
        console.show(tables.bench_series([p for p in content["series"] if p["axis"] == axis]))
    if content["training"]:
        console.show(tables.bench_training(content["training"]))


if __name__ == "__main__":
    _main()
