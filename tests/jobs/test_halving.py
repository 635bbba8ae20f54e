"""Early stopping by the best score so far, also after an interruption."""

from rumcli.jobs.events import STOPPED_EARLY, RunResult
from rumcli.jobs.halving import Halving
from rumcli.sweeps import search
from tests.sweeps.files import run_of, sweep, write_run

RATES = [0.1, 0.01, 0.001]
POINTS = [{"optimizer.learning_rate": rate} for rate in RATES]


def decisions(halving, name, *scores, first_step=10):
    """Report a score every ten steps; return whether the run may continue after each."""
    return [halving.allows(name, first_step + 10 * n, score) for n, score in enumerate(scores)]


def test_a_run_that_is_worse_than_most_is_stopped():
    halving = Halving(first=10, factor=2.0, steps=40)
    assert decisions(halving, "a", 0.2, 0.1) == [True, True]
    assert decisions(halving, "b", 0.9) == [False]


def test_one_in_factor_runs_continues():
    halving = Halving(first=10, factor=3.0, steps=40)
    assert [decisions(halving, str(n), score)[0] for n, score in enumerate([5, 4, 6, 3, 4.5])] == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_single_bad_value_after_good_ones_does_not_stop_a_run():
    halving = Halving(first=10, factor=2.0, steps=40)
    decisions(halving, "a", 0.5, 0.4)
    assert decisions(halving, "b", 0.3, 0.9) == [True, True]


def test_no_run_is_stopped_between_two_comparisons_or_at_its_last_step():
    halving = Halving(first=10, factor=2.0, steps=40)
    decisions(halving, "a", *[0.1] * 4)
    halving.allows("b", 10, 0.05)
    halving.allows("b", 20, 0.05)
    assert halving.allows("c", 5, 0.9)
    assert [halving.allows("b", step, 0.9) for step in (21, 30, 39, 40)] == [True] * 4
    late = Halving(first=40, factor=2.0, steps=40)
    assert late.allows("a", 40, 0.1)
    assert late.allows("b", 40, 0.9)


def test_resumed_search_compares_with_the_earlier_validations(tmp_path):
    # given: a run that was finished, one that was stopped, and one that continues
    early = {"first": 10, "factor": 2}
    changes = {"parameters": {"optimizer.learning_rate": RATES}, "seeds": [1]}
    made, plan = sweep(tmp_path, POINTS, early_stopping=early, **changes)
    runs = [run_of(plan, number, 1, point) for number, point in enumerate(POINTS, 1)]
    write_run(made, runs[0], [0.2, 0.1], test=0.1)
    write_run(made, runs[1], [0.9])
    made.mark(runs[1], RunResult(STOPPED_EARLY, "at step 10"))
    write_run(made, runs[2], [0.15])

    # when
    halving = search.halving(plan, made)

    # then: what was decided at step 10 stays so
    assert halving.allows(runs[2].name, 10, 0.15)
    assert not halving.allows("point-4-seed-1", 10, 0.5)
