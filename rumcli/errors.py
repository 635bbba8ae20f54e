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


# TensorFlow has a class for it, JAX a word in the message, PyTorch a class for GPUs and a word for
# the CPU.
_OUT_OF_MEMORY = {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}
_NO_MEMORY_LEFT = ("RESOURCE_EXHAUSTED", "DefaultCPUAllocator")


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether Python or a backend raised an error for want of memory."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & _OUT_OF_MEMORY) or any(word in str(error) for word in _NO_MEMORY_LEFT)
