"""`rum doctor`: what is installed, on what machine, whether it works and how fast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli import __version__
from rumcli.cli import allocator, options, probe
from rumcli.errors import RunError
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.documents.measurements import Diagnosis


def doctor(
    speed: Annotated[
        bool, typer.Option("--speed/--no-speed", help="Time a few training steps.")
    ] = True,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Show versions, backend, devices, memory and a short speed test, and what is wrong.

    Exits 1 if the backend does not start or train. Needs no network.
    """
    from rumcli.reporting import doctor as tables

    with output.status() as report:
        report(f"starting the backend{' and timing training steps' if speed else ''}")
        found = _examine(speed, debug)
    if as_json:
        output.show_document(found)
    else:
        output.show(tables.examination(found.to_dict()))
    if not found.works:
        raise RunError(f"this installation does not work: {found.problem}")


def _examine(speed: bool, debug: bool) -> Diagnosis:
    from rumcli import machine
    from rumcli.benchmark import versions
    from rumcli.documents.measurements import Diagnosis

    asked: dict[str, Any] = {"backend": None, "fused": None, "speed": None}
    problem = None
    try:
        asked = probe.ask(speed, debug)
    except RunError as error:
        problem = str(error)
    needed = versions.versions(asked["backend"]["name"] if asked["backend"] else None)
    return Diagnosis(
        works=problem is None,
        problem=problem,
        versions={"rum": __version__, **needed},
        extras=[extra for extra in versions.extras() if extra["package"] not in needed],
        cores=machine.cores(),
        memory=machine.memory(),
        allocator=allocator.describe(),
        **asked,
    )
