"""What the process of a run brings up, for tests; a process of its own has to find it by name."""

import os
import time

from rumcli.errors import RunError


def die(run):
    """End without a word."""
    os._exit(3)


def fail(run):
    """Be a run that fails."""
    raise RunError("the loss is not finite")


def crash(run):
    """Be a mistake of ours."""
    raise ZeroDivisionError("of something")


def wait(run):
    """Take long, then fail, so that no process is left."""
    time.sleep(60)
    raise RunError("nobody ended it")
