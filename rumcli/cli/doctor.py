"""`rum doctor`: versions, devices, and tests of the installation and its speed.

The backend is tested in a separate process, because a broken one may crash it:
`python -m rumcli.cli.doctor [--no-speed]` writes one JSON document to stdout.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rumcli import __version__, parsing
from rumcli.cli import _keras_startup, _options
from rumcli.errors import ConfigError, RumError, RunError
from rumcli.reporting import console

if TYPE_CHECKING:
    from rumcli.json_schemas.measurements import Diagnosis

_LONGEST = 300.0  # timeout in seconds
_NO_SPEED = "--no-speed"


def probe_backend(speed: bool, debug: bool) -> dict[str, Any]:
    """Run the tests in a new process and return their results.

    Args:
        speed: Whether to time training steps.
        debug: Whether to show the other output of the process.

    Raises:
        RunError: If the process fails, times out, or is killed; the message quotes its last line.
    """
    try:
        # -P: a file in the working directory, such as keras.py, must not shadow a package.
        result = subprocess.run(
            [
                sys.executable,
                "-P",
                "-m",
                "rumcli.cli.doctor",
                *([] if speed else [_NO_SPEED]),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"the backend did not respond within {_LONGEST:.0f} s") from error
    if debug:
        console.note(result.stderr.rstrip())
    if result.returncode < 0:
        raise RunError(f"the backend crashed with {_name(-result.returncode)}")
    lines = (result.stdout if result.returncode == 0 else result.stderr).strip().splitlines()
    try:
        return parsing.parse_json(lines[-1], allow_nan=True)
    except (ValueError, IndexError):
        why = lines[-1] if lines else f"exit code {result.returncode}"
        raise RunError(why.removeprefix("rum: error: ")) from None


def _name(number: int) -> str:
    try:
        return f"the signal {signal.Signals(number).name}"
    except ValueError:
        return f"the signal {number}"


def _main() -> None:
    # Keeps the output of libraries out of the document.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        _keras_startup.start(debug=False, quiet=True)
    except RumError as error:
        console.complain(str(error))
        sys.exit(1)
    from rumcli.benchmark import self_check

    speed = None if _NO_SPEED in sys.argv else self_check.speed()
    json.dump(
        {"backend": self_check.backend(), "fused": self_check.fused_loops(), "speed": speed}, out
    )
    out.write("\n")
    out.close()


def doctor(
    speed: Annotated[
        bool, typer.Option("--speed/--no-speed", help="Time a few training steps.")
    ] = True,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table in Markdown, for an issue.")
    ] = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Show versions, backend, devices, memory, problems, and a short speed test.

    Exits with 1 if the backend does not start or train. Needs no network.
    """
    from rumcli.reporting import measurement_tables as tables

    if markdown and as_json:
        raise ConfigError("--markdown and --json are mutually exclusive")
    with console.status() as report:
        report(f"starting the backend{' and timing training steps' if speed else ''}")
        diagnosis = _examine(speed, debug)
    if as_json:
        console.show_document(diagnosis)
    elif markdown:
        console.show_text(tables.to_markdown(diagnosis.to_dict()))
    else:
        console.show(tables.examination(diagnosis.to_dict()))
    if not diagnosis.works:
        raise RunError(f"this installation does not work: {diagnosis.problem}")


def _examine(speed: bool, debug: bool) -> Diagnosis:
    from rumcli import backends, system_info
    from rumcli.json_schemas.measurements import (
        Allocator,
        Cores,
        Diagnosis,
        Extra,
        Memory,
        Versions,
    )

    results: dict[str, Any] = {"backend": None, "fused": None, "speed": None}
    problem = None
    try:
        results = probe_backend(speed, debug)
    except RunError as error:
        problem = str(error)
    needed = backends.package_versions(results["backend"]["name"] if results["backend"] else None)
    return Diagnosis(
        works=problem is None,
        problem=problem,
        versions=Versions.model_validate({"rum": __version__, **needed}),
        extras=[
            Extra.model_validate(extra)
            for extra in backends.installed_extras()
            if extra["package"] not in needed
        ],
        cores=Cores.model_validate(system_info.cores()),
        memory=Memory.model_validate(system_info.memory()),
        allocator=Allocator.model_validate(_keras_startup.describe_allocator()),
        **results,
    )


if __name__ == "__main__":
    _main()
