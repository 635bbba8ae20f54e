"""`rum doctor`: versions, devices, and tests of the installation and its speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli import __version__
from rumcli.cli import _backend_probe, _malloc, _options
from rumcli.errors import RunError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.json_schemas.measurements import Diagnosis


def doctor(
    speed: Annotated[
        bool, typer.Option("--speed/--no-speed", help="Time a few training steps.")
    ] = True,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Show versions, backend, devices, memory, problems, and a short speed test.

    Exits with 1 if the backend does not start or train. Needs no network.
    """
    from rumcli.reporting import doctor_table as tables

    with console.status() as report:
        report(f"starting the backend{' and timing training steps' if speed else ''}")
        found = _examine(speed, debug)
    if as_json:
        console.show_document(found)
    else:
        console.show(tables.examination(found.to_dict()))
    if not found.works:
        raise RunError(f"this installation does not work: {found.problem}")


def _examine(speed: bool, debug: bool) -> Diagnosis:
    from rumcli import system_info
    from rumcli.benchmark import package_versions
    from rumcli.json_schemas.measurements import (
        Allocator,
        Cores,
        Diagnosis,
        Extra,
        Memory,
        Versions,
    )

    asked: dict[str, Any] = {"backend": None, "fused": None, "speed": None}
    problem = None
    try:
        asked = _backend_probe.ask(speed, debug)
    except RunError as error:
        problem = str(error)
    needed = package_versions.versions(asked["backend"]["name"] if asked["backend"] else None)
    return Diagnosis(
        works=problem is None,
        problem=problem,
        versions=Versions.model_validate({"rum": __version__, **needed}),
        extras=[
            Extra.model_validate(extra)
            for extra in package_versions.extras()
            if extra["package"] not in needed
        ],
        cores=Cores.model_validate(system_info.cores()),
        memory=Memory.model_validate(system_info.memory()),
        allocator=Allocator.model_validate(_malloc.describe()),
        **asked,
    )
