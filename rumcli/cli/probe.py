"""What `rum doctor` finds out with Keras, in a process of its own: a broken backend may kill it.

Run as `python -m rumcli.cli.probe`; writes one JSON document to stdout.
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
from rumcli.reporting import output

_LONGEST = 300.0  # seconds


def ask(debug: bool) -> dict[str, Any]:
    """Start the process and return what it found.

    Args:
        debug: Whether to show what it prints besides.

    Raises:
        RunError: If it fails, does not end, or is killed; its last line says why.
    """
    try:
        # -P: a file of the user's, such as a keras.py, is not to be mistaken for a package.
        result = subprocess.run(
            [sys.executable, "-P", "-m", "rumcli.cli.probe"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"the backend did not answer within {_LONGEST:.0f} s") from error
    if debug:
        output.note(result.stderr.rstrip())
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
    from rumcli.cli import engine

    # What libraries print is not part of the document.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        engine.start(debug=False)
    except RumError as error:
        output.complain(str(error))
        sys.exit(1)
    from rumcli.benchmark import quick

    json.dump(
        {"backend": quick.backend(), "fused": quick.fused_loops(), "speed": quick.speed()}, out
    )
    out.write("\n")
    out.close()


if __name__ == "__main__":
    _main()
