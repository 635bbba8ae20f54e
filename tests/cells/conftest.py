"""How the tests of this directory run the fused loops."""

import pytest


@pytest.fixture(autouse=True)
def _uncompiled_unless_marked(request):
    """Run the fused loops as TensorFlow graphs: XLA compiles for seconds, for each option.

    Tests marked `compiled` or `slow` run the programs that users run.
    """
    marks = {mark.name for mark in request.node.iter_markers()}
    if not marks & {"compiled", "slow"}:
        request.getfixturevalue("_fused_loops_as_graphs")
