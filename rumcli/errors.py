"""The errors that are the user's to mend; whatever else is raised is a bug.

A message is one line: what is wrong, where, what was expected, what to do.
"""


class RumError(Exception):
    """An error with one line for the user; `exit_code` is what the command line returns."""

    exit_code = 1


class ConfigError(RumError):
    """Something that was asked for is wrong: a name, a value, a file."""

    exit_code = 2


class RunError(RumError):
    """Something went wrong while a run was under way, or with what it left behind."""
