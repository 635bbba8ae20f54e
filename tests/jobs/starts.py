"""Functions that a child process runs in tests; it imports them by name."""

import os
import time

from rumcli.errors import RunError


def die(run):
    """Exit silently."""
    os._exit(3)


def fail(run):
    """Fail as a run does."""
    raise RunError("the loss is not finite")


def crash(run):
    """Raise an unexpected exception."""
    raise ZeroDivisionError("of something")


def wait(run):
    """Take long, then fail, so that no process is left."""
    time.sleep(60)
    raise RunError("no process ended it")
