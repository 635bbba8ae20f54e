"""Backend tests of `rum doctor`, in a separate process because a broken backend may crash it.

Run as `python -m rumcli.cli._backend_probe [--no-speed]`; writes one JSON document to stdout.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

from rumcli import json_parser
from rumcli.errors import RumError, RunError
from rumcli.reporting import console

_LONGEST = 300.0  # timeout in seconds
_NO_SPEED = "--no-speed"


def ask(speed: bool, debug: bool) -> dict[str, Any]:
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
                "rumcli.cli._backend_probe",
                *([] if speed else [_NO_SPEED]),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"the backend did not answer within {_LONGEST:.0f} s") from error
    if debug:
        console.note(result.stderr.rstrip())
    if result.returncode < 0:
        raise RunError(f"starting the backend ended with {_name(-result.returncode)}")
    lines = (result.stdout if result.returncode == 0 else result.stderr).strip().splitlines()
    try:
        return json_parser.parse(lines[-1], allow_nan=True)
    except (ValueError, IndexError):
        why = lines[-1] if lines else f"exit code {result.returncode}"
        raise RunError(why.removeprefix("rum: error: ")) from None


def _name(number: int) -> str:
    try:
        return f"the signal {signal.Signals(number).name}"
    except ValueError:
        return f"the signal {number}"


def _main() -> None:
    from rumcli.cli import _keras_startup

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


if __name__ == "__main__":
    _main()
