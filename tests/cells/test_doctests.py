"""The examples in the docstrings of `rumcli.cells` run and print what they show."""

import doctest
import importlib

import pytest

from rumcli import cells

MODULES = ["rumcli.cells", *cells.modules(), "rumcli.cells.ops.rotation"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_show(name):
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert (failed, attempted > 0) == (0, True)
