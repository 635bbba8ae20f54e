"""Properties that are tried a few times in every run of the suite, and very often with `-m slow`.

The default run is always the same. The slow one has seeds of its own, in batches, so that what
hypothesis remembers of a batch does not grow with the number of cases.
"""

from dataclasses import dataclass

import hypothesis
import pytest
from hypothesis import HealthCheck

_BATCH = 2500
_NO_CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@dataclass(frozen=True)
class Property:
    """A property, and how often it is tried in the default run and in the slow one."""

    name: str
    fast: int
    slow: int


REGISTERED: list[Property] = []


def fuzz(fast, slow, **strategies):
    """Make a test of `check(place, **drawn)`; `place` is an empty folder, and the current one.

    The test fails if `check` does, and if there were fewer cases than promised.
    """

    def decorate(check):
        REGISTERED.append(Property(f"{check.__module__}.{check.__name__}", fast, slow))
        sizes = [
            pytest.param(fast, True, id=f"{fast} cases"),
            pytest.param(
                slow,
                False,
                id=f"{slow} cases",
                marks=[pytest.mark.slow, pytest.mark.timeout(3600)],
            ),
        ]

        @pytest.mark.parametrize(("count", "is_fast"), sizes)
        def test(count, is_fast, tmp_path, monkeypatch):
            place = tmp_path / "place"
            place.mkdir()
            monkeypatch.chdir(place)
            done = 0
            for number, start in enumerate(range(0, count, _BATCH)):
                seed = None if is_fast else _seed(check, number)
                done += _try(check, place, strategies, min(_BATCH, count - start), seed)
            assert done >= count

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        test.__module__ = check.__module__
        return test

    return decorate


def _seed(check, number):
    return sum(check.__name__.encode()) * 1000 + number


def _try(check, place, strategies, count, seed):
    done = 0

    @hypothesis.settings(
        max_examples=count,
        derandomize=seed is None,
        database=None,
        suppress_health_check=_NO_CHECKS,
    )
    @hypothesis.given(**strategies)
    def body(**drawn):
        nonlocal done
        done += 1
        _empty(place)
        check(place, **drawn)

    # Hypothesis takes its derandomized start from this function's code, the same for all checks.
    body.hypothesis.inner_test.__qualname__ = check.__qualname__
    if seed is not None:
        body = hypothesis.seed(seed)(body)
    body()
    return done


def _empty(folder):
    import shutil

    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
