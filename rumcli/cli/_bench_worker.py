"""Worker process of `rum bench` that measures on the backend of its environment.

Run as `python -m rumcli.cli._bench_worker [--debug]`. Each line on stdin is a JSON request. Each
line on stdout is a `status`, or the `result` or `error` of a request. The process exits at the end
of stdin. The client is `rumcli.benchmark.backend_workers`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from rumcli import json_parser
from rumcli.errors import ConfigError, RumError

if TYPE_CHECKING:
    from rumcli.benchmark.measure import Measurement

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
        from rumcli.benchmark import host_info

        return host_info.describe()

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
        from rumcli.benchmark.trainer_overhead import measure_pace
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
            request = json_parser.parse(line)
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


if __name__ == "__main__":
    _main()
