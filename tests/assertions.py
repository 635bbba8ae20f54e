"""Assertions about errors."""

import pytest

from rumcli.errors import ConfigError


def assert_error(call, *parts):
    """Assert that `call()` raises a `ConfigError` of one printable line that contains `parts`."""
    with pytest.raises(ConfigError) as error:
        call()
    message = str(error.value)
    for part in parts:
        assert part in message
    assert message.isprintable(), message
