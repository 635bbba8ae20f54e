"""Assertions about errors."""

import pytest

from rumcli.errors import ConfigError


def assert_error(call, *parts, printable=True):
    """Assert that `call()` raises a `ConfigError` of one line that contains `parts`.

    Args:
        call: Function without arguments.
        parts: Parts of the message.
        printable: Whether the message must also be printable; the command line escapes it.
    """
    with pytest.raises(ConfigError) as error:
        call()
    message = str(error.value)
    for part in parts:
        assert part in message
    assert "\n" not in message
    assert message.isprintable() or not printable
