"""A run of a table in a process of its own: it trains, tells how far it is, and hears of a stop."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rumcli.config import RunConfig, Split
from rumcli.errors import RumError
from rumcli.reproduction.folder import FAILED
from rumcli.sweeps import worker
from rumcli.sweeps.listener import Standing
from rumcli.sweeps.results import UNFINISHED
from rumcli.sweeps.worker import End
from rumcli.training.run_folder import RunFolder

SAVE = "save"  # and end
SAVE_AND_TEST = "save and test"
_LOOK = 0.25  # seconds between two looks whether a stop is asked for
_BEAT = 1.0  # seconds between two reports


class Child:
    """The process of a run, as the one that started it sees it.

    Args:
        folder: Of the run; it goes on from what is there.
        start: Brings up what the run needs, such as Keras; it must be one that can be pickled.
        cores: How many the run uses.
        debug: Whether what the process prints is to be seen.
    """

    def __init__(
        self, folder: RunFolder, start: Callable[[RunConfig], None], cores: int, debug: bool
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_main, args=(theirs, str(folder.path), start, cores, debug), daemon=True
        )
        with _without_signals_of_the_terminal():
            self._process.start()
        theirs.close()
        self.asked: str | None = None
        self._trains = False

    def stop(self, how: str) -> None:
        """Ask for an end after the step that is under way: `SAVE` or `SAVE_AND_TEST`.

        A run that has not begun to train has nothing to be saved, and is not waited for.
        """
        if self.asked != how:
            self.asked = how
            if not self._trains:
                self.kill()
            with contextlib.suppress(OSError):  # it may be gone
                self.connection.send(how)

    def news(self) -> list[Standing | Ended]:
        """Return what it has told since; a process that died without a word has failed."""
        found: list[Any] = []
        try:
            while self.connection.poll():
                found.append(self.connection.recv())
                self._trains = True
        except (EOFError, OSError):
            if not any(isinstance(one, Ended) for one in found):
                found.append(self._death())
        return found

    def join(self) -> None:
        """Wait until the process is gone."""
        self._process.join()
        self.connection.close()

    def kill(self) -> None:
        """End the process at once; what was saved stays."""
        self._process.kill()

    def _death(self) -> Ended:
        self._process.join(10)
        code = self._process.exitcode
        if self.asked is not None and code is not None and code < 0:
            return Ended(End(UNFINISHED), None)
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        return Ended(End(FAILED, f"its process ended {how}; what was saved is whole"), None)


class Ended:
    """How a run ended.

    Attributes:
        end: Its state, and the message of a failure.
        figures: Of the test of a run that was stopped and tested; None if there are none.
        step: Steps done.
        seconds: Of training, in this part and those before it.
    """

    def __init__(
        self, end: End, figures: dict[str, Any] | None, step: int = 0, seconds: float = 0.0
    ) -> None:
        self.end = end
        self.figures = figures
        self.step = step
        self.seconds = seconds


@contextlib.contextmanager
def _without_signals_of_the_terminal() -> Any:
    """Start processes that Ctrl-C and a closed terminal do not reach: they are asked to stop."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Else it would be started within, and take the signals out of the mask.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _main(
    connection: Connection,
    folder: str,
    start: Callable[[RunConfig], None],
    cores: int,
    debug: bool,
) -> None:
    """Be the process."""
    worker.limit_threads(cores)
    worker.share_gpus()
    _keep_stdout_clean(debug)
    try:
        ended = _train(connection, RunFolder(Path(folder)), start)
    except RumError as error:
        ended = Ended(End(FAILED, str(error)), None)
    except Exception as error:
        line = " ".join(str(error).split())[:300]
        ended = Ended(End(FAILED, f"{type(error).__name__}: {line}"), None)
        if debug:
            raise
    finally:
        with contextlib.suppress(OSError):  # who started it may be gone
            connection.send(ended)


def _train(connection: Connection, folder: RunFolder, start: Callable[[RunConfig], None]) -> Ended:
    terminated: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: terminated.append(number))
    training = worker.Training(folder, start)
    asked, waited = "", 0.0
    while True:
        asked = SAVE if terminated else _heard(connection, asked)
        if asked:
            training.stop()
        news = training.news(_LOOK)
        if isinstance(news, End):
            break
        waited += _LOOK
        told = news or (training.standing if waited >= _BEAT else None)
        if told is not None:
            waited = 0.0
            with contextlib.suppress(OSError):
                connection.send(told)
    training.join()
    if news.state != UNFINISHED:
        return Ended(news, None)
    figures = _test(folder) if asked == SAVE_AND_TEST else None
    saved, _ = folder.checkpoints.load_newest()
    return Ended(news, figures, *((saved.step, saved.progress["seconds"]) if saved else ()))


def _heard(connection: Connection, asked: str) -> str:
    """Return what is asked for; a process whose starter is gone saves and ends."""
    try:
        while connection.poll():
            asked = connection.recv()
    except (EOFError, OSError):
        return SAVE
    return asked


def _test(folder: RunFolder) -> dict[str, Any] | None:
    """Test the best weights, or those of a run that was never validated: its last."""
    from rumcli.training.evaluation import evaluate_run

    which = "best" if folder.checkpoints.load_best() is not None else "last"
    if which == "last" and not folder.checkpoints.numbered():
        return None
    return evaluate_run(folder, Split.TEST, which)


def _keep_stdout_clean(debug: bool) -> None:
    """Send what libraries print to nowhere, or in debugging to stderr; a result may follow."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(2 if debug else nowhere, 1)
        if not debug:
            os.dup2(nowhere, 2)
        os.close(nowhere)
