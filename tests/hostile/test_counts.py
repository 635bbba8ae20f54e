"""Numbers of cases, which each test asserts for itself."""

import importlib
import pkgutil

import tests.hostile
from tests.hostile import cases


def test_case_counts_are_a_thousand_by_default_and_a_hundred_thousand_slow():
    for module in pkgutil.iter_modules(tests.hostile.__path__):
        importlib.import_module(f"tests.hostile.{module.name}")
    found = {one.name: one for one in cases.REGISTERED}.values()
    assert sum(one.fast for one in found) >= 1_000
    assert sum(one.slow for one in found) >= 100_000
