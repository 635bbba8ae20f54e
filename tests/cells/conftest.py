"""How the tests of this directory run the fused loops."""

import functools

import pytest

from .gradients import BACKEND


@pytest.fixture(autouse=True)
def _uncompiled_unless_marked(request, monkeypatch):
    """Run the fused loops one operation at a time: XLA compiles for seconds, for each option.

    Tests marked `compiled` or `slow` run what users run.
    """
    marks = {mark.name for mark in request.node.iter_markers()}
    if BACKEND == "tensorflow" and not marks & {"compiled", "slow"}:
        from rumcli.cells.kernels import program

        monkeypatch.setattr(program, "_compiled", functools.partial)
