"""Start and end of a search on Ray Tune, without Ray."""

import errno
from pathlib import Path

import pytest

from rumcli.errors import ConfigError, RunError
from rumcli.sweeps import tune


class TheirError(Exception):
    """As Ray Tune's, of which the text is a traceback."""


TRACEBACK = """Traceback (most recent call last):
  File "tune_controller.py", line 1227, in _on_result
    on_result(trial, *args, **kwargs)
OSError: [Errno 28] No space left on device
"""


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (TheirError(TRACEBACK), "Ray Tune ended the search: OSError: [Errno 28] No space left on"),
        (TheirError(), "Ray Tune ended the search: it does not say why"),
        (OSError(errno.ENOSPC, "No space left on device"), "can't write to out: No space left"),
        (RunError("can't write to out/point-1-seed-2: No space"), "can't write to out/point-1-s"),
    ],
)
def test_aborted_search_reports_its_cause_in_one_line(raised, expected):
    with pytest.raises(tune.BrokenOffError) as error, tune.breaking_off(Path("out"), TheirError):
        raise raised
    assert str(error.value).startswith(expected)
    assert "\n" not in str(error.value)


def test_usage_error_stays_a_usage_error():
    with pytest.raises(ConfigError, match="differs"), tune.breaking_off(Path("out"), TheirError):
        raise ConfigError("its configuration differs from the sweep's")
