"""`rum bench`: how fast a training step is, beside Keras's cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli.cli import engine, options, pictures
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.benchmark.cases import Case, Subject
    from rumcli.benchmark.document import Point
    from rumcli.benchmark.training import Pace


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
            autocompletion=options.completing(_cases),
        ),
    ] = None,
    cell: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>",
            help="rum, arum, lnlstm, fsrnn, gru or lstm. May be repeated. Default: all that fit.",
            autocompletion=options.completing(_cells),
        ),
    ] = None,
    rounds: Annotated[int, options.integer("Samples of each, at least 1.")] = 7,
    series: Annotated[
        bool | None,
        typer.Option(
            "--series/--no-series",
            help="Show how the time grows with T and with H. Default: unless --task is given.",
        ),
    ] = None,
    training: Annotated[
        bool | None,
        typer.Option(
            "--training/--no-training",
            help="Compare the pace of 'rum train' with that of a bare step. Default: as --series.",
        ),
    ] = None,
    memory: Annotated[
        bool,
        typer.Option(
            "--memory/--no-memory",
            help="Measure peak memory, each in a process of its own of ten seconds.",
        ),
    ] = True,
    plot: Annotated[
        Path | None, typer.Option(help="Picture to write: a .png, .svg or .pdf file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Time forward, backward and update of RUM and ARUM beside Keras's GRU and LSTM.

    All take turns in one run; the ratio is to the faster GRU. Everything takes a quarter of an
    hour on two cores, --task copying two minutes.
    """
    task = [options.choose("--task", "task", name, _cases()) for name in task or []]
    cell = [options.choose("--cell", "cell", name, _cells()) for name in cell or []]
    options.at_least("--rounds", 1, rounds)
    kind = pictures.check("--plot", plot, force) if plot is not None else ""
    engine.start(debug)
    from rumcli.benchmark.document import document
    from rumcli.reporting import bench as tables
    from rumcli.reporting import plots

    points: list[Point] = []
    paces: list[Pace] = []
    with output.status() as report:
        for case, axis, chosen in _plan(task, cell, not task if series is None else series):
            points.append(_measure(case, axis, chosen, rounds, memory, report))
            if axis is None and not as_json:
                output.show(tables.case(document(points)["cases"][-1]))
        if not task if training is None else training:
            paces = _paces(task, cell, rounds, report)
    content = document(points, paces)
    if as_json:
        output.show_json("bench", content)
    else:
        for axis in dict.fromkeys(point["axis"] for point in content["series"]):
            output.show(tables.series([p for p in content["series"] if p["axis"] == axis]))
        if paces:
            output.show(tables.training(content["training"]))
    if plot is not None:
        with output.new_file(plot, force) as file:
            plots.bench(content, file, kind)
        output.note(f"wrote {plot}")


def _plan(
    tasks: list[str] | None, asked: list[str] | None, with_series: bool
) -> list[tuple[Case, str | None, list[Subject]]]:
    import keras

    from rumcli.benchmark import cases

    backend = keras.backend.backend()
    found: list[Any] = []
    for name in dict.fromkeys(tasks or cases.CASES):
        case = cases.CASES[name]
        chosen = asked or cases.default_cells(case)
        found.append((case, None, cases.subjects(case, chosen, backend)))
    if with_series:
        chosen = asked or ["rum", "arum"]
        found += [(case, axis, who) for axis, case, who in cases.series(chosen, backend)]
    return found


def _measure(
    case: Case, axis: str | None, chosen: list[Subject], rounds: int, memory: bool, report: Any
) -> Point:
    from rumcli.benchmark.document import Point
    from rumcli.benchmark.measure import measure
    from rumcli.benchmark.memory import peak

    what = f", {axis} = {getattr(case, axis)}" if axis else ""
    timings = measure(case, chosen, rounds, lambda text: report(text + what))
    # In a series: of ours, over T, which is what their memory depends on.
    for timing in timings if memory and axis != "units" else []:
        if axis is None or timing.subject.cell not in ("gru", "lstm"):
            report(f"{case.name}{what}: memory of {timing.subject.label}")
            timing.peak_memory = peak(case, timing.subject)
    return Point(case, timings, axis)


def _paces(
    tasks: list[str] | None, cells: list[str] | None, rounds: int, report: Any
) -> list[Pace]:
    import keras

    from rumcli.benchmark.training import TASKS, measure_pace
    from rumcli.reporting import progress

    if keras.backend.backend() != "tensorflow":
        return []
    # As in a terminal, with all that is drawn there; but nobody looks.
    console = output.nowhere()
    trained = [name for name in TASKS if name in (tasks or TASKS)]
    chosen = [name for name in dict.fromkeys(cells or ["rum"]) if name in options.cells()]
    return [
        measure_pace(
            name, cell, rounds, lambda: progress.listener(console, quiet=False, live=True), report
        )
        for name in trained
        for cell in chosen
    ]
