"""`rum train --workers`: several processes for one run, from their options to their end.

Worker 0, the chief, is the process that a person started and looks at; it has the run folder.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rumcli.cli import code, engine
from rumcli.cli.local_workers import LocalWorkers
from rumcli.errors import ConfigError, RumError, RunError
from rumcli.reporting import output

if TYPE_CHECKING:
    from rumcli.cli.showing import Showing
    from rumcli.config import RunConfig
    from rumcli.training.group import Group
    from rumcli.training.link import Link
    from rumcli.training.rendezvous import Address
    from rumcli.training.run_folder import RunFolder
    from rumcli.training.stopping import StopRequest

_PATIENCE = 600.0  # seconds in which all must have come
_NOTHING = ""  # in place of the configuration of a run that is finished
_GRACE = 10.0  # seconds in which a process that can't go on has to end by itself


@dataclass(frozen=True)
class Team:
    """What the options ask for.

    Attributes:
        rank: Of this process.
        count: Number of processes; None if this one is told by the chief.
        address: Where the chief waits; None: all processes are started here.
    """

    rank: int
    count: int | None
    address: Address | None


def asked(count: int | None, rank: int | None, address: str | None) -> Team | None:
    """Return the team that the options ask for; None if they ask for none.

    Raises:
        ConfigError: If they don't go together.
    """
    from rumcli.training import rendezvous

    if count is not None and count < 1:
        raise ConfigError(f"--workers {count}: expected at least 1")
    if (rank is None) != (address is None):
        raise ConfigError(
            "--worker and --address go together: the number of this process, and where worker 0 is"
        )
    if rank is None:
        return None if count in (None, 1) else Team(0, count, None)
    if rank < 0 or (count is not None and rank >= count):
        expected = "at least 0" if count is None else f"0 to {count - 1}"
        raise ConfigError(f"--worker {rank}: expected {expected}")
    if rank == 0 and count is None:
        raise ConfigError("--worker 0: expected --workers too, the number of processes")
    if rank == 0 and count == 1:
        return None
    return Team(rank, count, rendezvous.parse_address(str(address)))


def check(team: Team | None, run: RunConfig) -> None:
    """Make sure that the processes can train this run.

    Raises:
        ConfigError: If they can't.
    """
    from rumcli.training import group

    if team is not None and team.count is not None:
        check_backend(os.environ.get("KERAS_BACKEND", "tensorflow"))
        group.check(run, team.count)


class Joining:
    """Becomes this process's part of the group, once Keras is there and before it is used."""

    def __init__(self, link: Link | None = None, threads: int | None = None) -> None:
        self._link = link
        self._threads = threads
        self._group: Group | None = None

    def join(self) -> None:
        """Make the group.

        Raises:
            ConfigError: If the backend has none.
        """
        from rumcli.training.group import ALONE

        if self._link is None:
            self._group = ALONE
            return
        import keras

        check_backend(keras.backend.backend())
        from rumcli.training.collectives import Together

        self._group = Together(self._link, self._threads)

    @property
    def group(self) -> Group:
        """The group, once it is made."""
        assert self._group is not None
        return self._group


def check_backend(name: str) -> None:
    """Make sure that the backend can train on several processes.

    Raises:
        ConfigError: If it can't.
    """
    if name != "tensorflow":
        raise ConfigError(f"--workers: several processes need the backend tensorflow, not {name}")


@contextlib.contextmanager
def gathered(
    team: Team | None,
    run: RunConfig,
    folder: RunFolder,
    request: StopRequest,
    showing: Showing,
) -> Iterator[Joining]:
    """Have the other processes of a run beside this one, the chief, while the block runs.

    Raises:
        RunError: If one of them does not come, or goes.
        ConfigError: If they can't come.
    """
    if team is None:
        yield Joining()
        return
    from rumcli import config
    from rumcli.training import rendezvous

    assert team.count is not None
    meeting = rendezvous.Meeting(team.address or rendezvous.Address("127.0.0.1", 0), team.count)
    local = LocalWorkers(run, showing.debug) if team.address is None else None
    threads = None if local is None else local.threads(team.count)

    def go_on() -> None:
        if request.signal is not None:
            output.note(f"stopped; to go on: {folder.resume_command}")
            raise SystemExit(128 + request.signal)
        if local is not None:
            local.check()

    with local or contextlib.nullcontext():
        if local is not None:
            local.start(team.count, str(meeting.address))
        elif not showing.quiet:
            output.note(f"waiting at {meeting.address} for {team.count - 1} other workers")
        link = meeting.gather(config.to_yaml(run), go_on, output.note, _PATIENCE)
        if local is not None:
            local.met = True
        with _linked(link, local.kill if local is not None else lambda: None):
            yield Joining(link, threads)


def dismiss(team: Team | None, showing: Showing) -> None:
    """Let the other processes of a run, where they were started too, hear that it is finished."""
    if team is None or team.address is None:
        return
    from rumcli.training import rendezvous

    assert team.count is not None
    meeting = rendezvous.Meeting(team.address, team.count)
    if not showing.quiet:
        output.note(f"waiting at {meeting.address} to tell {team.count - 1} other workers")
    try:
        link = meeting.gather(_NOTHING, lambda: None, output.note, _PATIENCE)
    except RunError as error:  # this process has what it was started for all the same
        output.note(f"warning: {error}")
        return
    with _linked(link, lambda: None):
        pass


def follow(
    team: Team, data: str | None, trusted: bool, typed: list[str | None], showing: Showing
) -> None:
    """Be one of the processes that are not the chief; settings are the chief's.

    Args:
        team: The chief's address, and this one's number.
        data: Where the text or the stories are here; None: where the chief has them.
        trusted: Whether the user trusts all code that the configuration names.
        typed: Code that the user named.
        showing: How messages are shown.

    Raises:
        RunError: If the run ends before its end.
        ConfigError: If it can't be run here.
    """
    from rumcli import config
    from rumcli.training import rendezvous, stopping

    assert team.address is not None
    check_backend(os.environ.get("KERAS_BACKEND", "tensorflow"))
    with stopping.listening() as request:

        def go_on() -> None:
            if request.signal is not None:
                raise SystemExit(128 + request.signal)

        link, text = rendezvous.join(team.address, team.rank, go_on, _PATIENCE)
        with _linked(link, lambda: None):
            if text == _NOTHING:
                if not showing.quiet:
                    output.note("the run is finished")
                return
            run = config.from_text(text, "the chief's configuration")
            if data is not None and hasattr(run.task, "data"):
                task = run.task.model_copy(update={"data": data})
                run = run.model_copy(update={"task": task})
            code.check(run, trusted, typed)
            _train(run, Joining(link, LocalWorkers.threads_given()), request, showing)


def _train(run: RunConfig, joining: Joining, request: StopRequest, showing: Showing) -> None:
    from rumcli.training import material as materials

    material = materials.for_training(run, None)
    engine.start(showing.debug, joining.join)
    code.admit(run)
    from rumcli.training.callback import RunStopped
    from rumcli.training.elsewhere import Elsewhere
    from rumcli.training.listener import Listener
    from rumcli.training.trainer import train

    try:
        train(run, Elsewhere(), Listener(), request, material, (), joining.group)
    except RunStopped as stopped:
        raise SystemExit(128 + stopped.signal) from None


@contextlib.contextmanager
def _linked(link: Link, end_others: Callable[[], None]) -> Iterator[None]:
    """Hear of the others' end while the block runs, and let them hear of this one's.

    Raises:
        RunError: With what the chief says of it, if that is why the block failed.
    """
    with engine.stderr_at_hand() as bring_back:

        def on_loss(reason: str) -> None:
            # What the main thread waits for may never come.
            time.sleep(_GRACE)
            end_others()
            bring_back()  # it may be held back, while TensorFlow starts
            output.complain(reason)
            os._exit(1)

        def lost(reason: str) -> None:
            threading.Thread(target=on_loss, args=(reason,), daemon=True).start()

        link.watch(lost)
        with _told(link):
            yield


@contextlib.contextmanager
def _told(link: Link) -> Iterator[None]:
    """Tell the others how the block ends.

    Raises:
        RunError: With what the chief says of it, if that is why the block failed.
    """
    try:
        yield
    except SystemExit:  # asked to stop, as all are
        link.finish()
        raise
    except RumError as error:
        # Where all fail for one reason, the chief knows it best.
        reason = link.reason() if link.rank > 0 else None
        if reason is not None:
            raise RunError(reason) from error
        link.fail(str(error))
        raise
    except BaseException as error:
        link.fail(f"{type(error).__name__}: {str(error)[:300]}")
        raise
    link.finish()
