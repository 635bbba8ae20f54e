"""A process that measures for `rum bench` on the backend of its environment.

Run as `python -m rumcli.cli._bench_worker [--debug]`. Each line on stdin is a request in JSON; each
line on stdout is a `status`, or the `result` or the `error` that answers a request. The process
ends when stdin does; `rumcli.benchmark.backend_workers` is the other end.
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
    """Answers requests.

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
        """Build subjects; return the number of weights and the time of the first step of each."""
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
        """Return a sample of each subject."""
        assert self._measurement is not None
        return self._measurement.round()

    def pace(self, task: str, cell: str, rounds: int) -> dict[str, Any]:
        """Measure whole runs beside bare steps."""
        from rumcli.benchmark.trainer_overhead import measure_pace
        from rumcli.reporting import console, train_progress

        # As in a terminal, with all that is drawn there; but nobody looks.
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
    """Answer requests until there are no more, or one fails.

    Args:
        lines: The requests.
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
    # Ctrl-C reaches the whole group of processes; the command decides, and ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What libraries print is not part of the replies.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def send(reply: dict[str, Any]) -> None:
        out.write(json.dumps(reply) + "\n")
        out.flush()

    serve(sys.stdin, send, debug=_DEBUG in sys.argv)


if __name__ == "__main__":
    _main()
