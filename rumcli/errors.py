"""Errors that the user can fix; any other exception is a bug.

A message is one line with the problem, its place, the expected value and the remedy.
"""


class RumError(Exception):
    """Base class of errors with a one-line message; commands exit with `exit_code`."""

    exit_code = 1


class ConfigError(RumError):
    """Invalid input: a name, a value or a file."""

    exit_code = 2


class RunError(RumError):
    """Failure during a run, or damage to its files."""


# TensorFlow has an exception class for it, and JAX a word in the message. PyTorch has a class for
# GPUs and a message for the CPU.
_OUT_OF_MEMORY = {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}
_NO_MEMORY_LEFT = ("RESOURCE_EXHAUSTED", "DefaultCPUAllocator")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of Python or of a backend means that memory is exhausted."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & _OUT_OF_MEMORY) or any(word in str(error) for word in _NO_MEMORY_LEFT)
