"""The examples in the docstrings of `rumcli.cells` run and print what they show."""

import doctest
import importlib

import pytest

MODULES = ["__init__", "arum", "eunn", "fs_rnn", "goru", "ln_lstm", "ops.rotation", "rum"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_show(name):
    path = "rumcli.cells" if name == "__init__" else f"rumcli.cells.{name}"
    failed, attempted = doctest.testmod(importlib.import_module(path))
    assert (failed, attempted > 0) == (0, True)
