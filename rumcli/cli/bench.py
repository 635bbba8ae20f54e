"""`rum bench`: duration of a training step compared with Keras's cells, on one or more backends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli import backends
from rumcli.cli import _options, _plot_file
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.benchmark.backend_workers import BackendWorker
    from rumcli.benchmark.cases import Case, Subject
    from rumcli.benchmark.json_report import BenchPoint
    from rumcli.benchmark.timing import Pace
    from rumcli.json_schemas.measurements import Axis


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
            help="copying, recall, characters or fast-slow. May be repeated. Default: all.",
            autocompletion=_options.completing(_cases),
        ),
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>",
            help="rum, arum, lnlstm, fsrnn, gru or lstm. May be repeated. Default: all that fit.",
            autocompletion=_options.completing(_cells),
        ),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>",
            help="tensorflow, jax or torch, each in a process of its own. May be repeated, to "
            "compare them. Default: the one that the other commands run on.",
            autocompletion=_options.completing(lambda: backends.TITLES),
        ),
    ] = None,
    rounds: Annotated[int, _options.integer("Samples of each, at least 1.")] = 7,
    series: Annotated[
        bool | None,
        typer.Option(
            "--series/--no-series",
            help="Show how the time grows with T and with H, on one engine. Default: unless --task "
            "is given, or several engines are.",
        ),
    ] = None,
    training: Annotated[
        bool | None,
        typer.Option(
            "--training/--no-training",
            help="Compare the pace of 'rum train' with that of a bare step, on TensorFlow. "
            "Default: as --series.",
        ),
    ] = None,
    memory: Annotated[
        bool | None,
        typer.Option(
            "--memory/--no-memory",
            help="Measure peak memory, each in a process of its own of ten seconds. Default: on "
            "one engine.",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Picture to write: a .png, .svg or .pdf file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Time forward, backward and update of RUM and ARUM, compared with Keras's GRU and LSTM.

    All take turns in one run. The ratio is to the faster GRU on the same backend. On torch,
    PyTorch's nn.GRU and nn.LSTM are measured too. A full run takes a quarter of an hour on two
    cores, --task copying takes two minutes, and each further backend takes as long again.
    """
    task = [_options.choose("--task", "task", name, _cases()) for name in task or []]
    cell = [_options.choose("--cell", "cell", name, _cells()) for name in cell or []]
    _options.at_least("--rounds", 1, rounds)
    kind = _plot_file.check("--plot", plot, force) if plot is not None else ""
    names = _backends(backend or [])
    is_alone = len(names) == 1
    if series and not is_alone:
        raise ConfigError("--series measures one engine; name one --backend, not several")
    if training and names != ["tensorflow"]:
        raise ConfigError("--training measures TensorFlow only; expected --backend tensorflow")
    everything = not task and is_alone
    series = everything if series is None else series
    training = everything if training is None else training
    from rumcli.benchmark.backend_workers import measure
    from rumcli.benchmark.json_report import BenchPoint, document

    with console.status() as report, _started(names, report, debug) as engines:
        machines = [one.machine() for one in engines]
        points = []
        for case, axis, chosen in _plan(task, cell, names, series):
            points.append(BenchPoint(case, measure(case, engines, chosen, rounds, report), axis))
            if is_alone if memory is None else memory:
                _measure_memory(points[-1], report)
            if axis is None and not as_json:
                _show_case(document(points, machines).to_dict()["cases"][-1], is_alone)
        paces = _paces(task, cell, engines[0], rounds) if training else []
    found = document(points, machines, paces)
    content = found.to_dict()
    if as_json:
        console.show_document(found)
    else:
        _show_rest(content)
    if plot is not None:
        from rumcli.reporting import bench_plot

        with console.new_file(plot, force) as file:
            bench_plot.bench(content, file, kind)
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
    from rumcli.benchmark.backend_workers import BackendWorker

    report(f"starting {', '.join(backends.TITLES.get(name, name) for name in names)}")
    with contextlib.ExitStack() as stack:
        engines = []
        for name in names:
            engines.append(BackendWorker(name, len(names) == 1, report, debug))
            stack.callback(engines[-1].close)
        yield engines


def _plan(
    tasks: list[str], asked: list[str], names: list[str], with_series: bool
) -> list[tuple[Case, Axis | None, dict[str, list[Subject]]]]:
    """Return each size, its axis if it belongs to a series, and its subjects by backend."""
    from rumcli.benchmark import cases

    found: list[Any] = []
    for name in dict.fromkeys(tasks or cases.CASES):
        case = cases.CASES[name]
        chosen = {
            backend: cases.subjects(case, asked or cases.default_cells(case, backend), backend)
            for backend in names
        }
        found.append((case, None, chosen))
    if with_series:
        (backend,) = names
        points = cases.series(asked or ["rum", "arum"], backend)
        found += [(case, axis, {backend: chosen}) for axis, case, chosen in points]
    return found


def _measure_memory(point: BenchPoint, report: Callable[[str], None]) -> None:
    from rumcli.benchmark.peak_memory import peak

    # In a series, measure only our cells over T, on which their memory depends.
    for timing in point.timings if point.axis != "units" else []:
        if point.axis is None or timing.subject.cell not in ("gru", "lstm"):
            report(f"{point.case.name}: memory of {timing.subject.label} on {timing.backend}")
            timing.peak_memory = peak(point.case, timing.subject, timing.backend)


def _paces(tasks: list[str], cells: list[str], on: BackendWorker, rounds: int) -> list[Pace]:
    from rumcli.benchmark.cases import TRAINED
    from rumcli.benchmark.timing import Pace

    if on.backend != "tensorflow":
        return []
    chosen = [name for name in dict.fromkeys(cells or ["rum"]) if name in _options.cells()]
    return [
        Pace(**on.pace(name, cell, rounds))
        for name in TRAINED
        if name in (tasks or TRAINED)
        for cell in chosen
    ]


def _show_case(point: dict[str, Any], is_alone: bool) -> None:
    from rumcli.reporting import bench_tables as tables

    console.show(tables.case(point) if is_alone else tables.engines(point))


def _show_rest(content: dict[str, Any]) -> None:
    from rumcli.reporting import bench_tables as tables

    for axis in dict.fromkeys(point["axis"] for point in content["series"]):
        console.show(tables.series([p for p in content["series"] if p["axis"] == axis]))
    if content["training"]:
        console.show(tables.training(content["training"]))
