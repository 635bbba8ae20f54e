"""Signals that ask a run to stop: acknowledged at once, obeyed after the step that is under way."""

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
    """Whether, and by which signal, a stop was asked for.

    Attributes:
        signal: The signal's number, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    def note(self, number: int) -> None:
        """Ask for a stop.

        Args:
            number: The signal's number.
        """
        self.signal = number


@contextlib.contextmanager
def listening(announcement: str = ONE_RUN) -> Iterator[StopRequest]:
    """Note the first of SIGINT, SIGTERM and SIGHUP while the block runs.

    It is announced at once. The second one raises `signals.Interrupted`; a command that does not
    end then, as while a huge matrix is made, is ended with 128 and the signal's number. Another
    program that trains a model is not.

    A signal that is ignored, as `nohup` has it, stays ignored. Outside of the main thread, where
    Python has no signals, nothing is noted.

    Args:
        announcement: What happens after the first signal and what a second one does.
    """
    request = StopRequest()
    with signals.responding(signals.Response(announcement, note=request.note)):
        yield request
