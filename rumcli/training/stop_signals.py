"""Stop signals of a run, acknowledged at once and handled after the current step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rumcli import signals

ONE_RUN = (
    "the run stops after the current step and saves; a second signal ends it at once, without "
    "saving"
)
MANY_RUNS = (
    "the runs stop after their current steps and save; a second signal ends them at once, without "
    "saving"
)


class StopRequest:
    """Request to stop a run.

    Attributes:
        signal: Number of the signal that requested the stop; None if there was none.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def note(self, number: int) -> None:
        """Request a stop.

        Args:
            number: Number of the signal.
        """
        self.signal = number


@contextlib.contextmanager
def listening(announcement: str = ONE_RUN) -> Iterator[StopRequest]:
    """Turn the first SIGINT, SIGTERM or SIGHUP into a stop request while the block runs.

    The first signal is announced at once. The second one raises `signals.Interrupted`. A `rum`
    command that still does not end, for example while it creates a huge matrix, exits with 128
    plus the signal's number. Other programs that train a model are not terminated.

    A signal that is already ignored, as under `nohup`, stays ignored. Outside the main thread,
    where Python has no signal handlers, the block runs without one.

    Args:
        announcement: Message about the effects of the first and second signal.

    Yields:
        The stop request.
    """
    request = StopRequest()
    with signals.responding(signals.Response(announcement, note=request.note)):
        yield request
