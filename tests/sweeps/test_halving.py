"""Early stopping by the best score so far, also after an interruption."""

from types import SimpleNamespace

import pytest

from rumcli.sweeps.folder import STOPPED_EARLY, Run
from rumcli.sweeps.plan import EarlyStopping
from tests.sweeps.files import sweep, write_run

pytest.importorskip("ray", reason="needs Ray: pip install 'rumcli[cluster]'")

RATES = [0.1, 0.01, 0.001, 0.0001]
POINTS = [{"optimizer.learning_rate": rate} for rate in RATES]
RUNS = [Run(number, 1, point) for number, point in enumerate(POINTS, 1)]


@pytest.fixture
def made(tmp_path):
    changes = {"parameters": {"optimizer.learning_rate": RATES}, "seeds": [1]}
    return sweep(tmp_path, POINTS, **changes)


def halving(folder, earlier=()):
    from rumcli.sweeps.ray_parts import Halving

    searcher = SimpleNamespace(of=lambda trial_id: RUNS[trial_id])
    return Halving(EarlyStopping(first=10, factor=2.0), 40, folder, searcher, earlier)


def decisions(scheduler, number, scores, first_step=10):
    """Let a run begin and report a score every ten steps; return the decisions."""
    trial = SimpleNamespace(trial_id=number)
    scheduler.on_trial_add(None, trial)
    return [
        scheduler.on_trial_result(None, trial, {"step": first_step + 10 * place, "score": score})
        for place, score in enumerate(scores)
    ]


def test_a_run_that_is_worse_than_most_is_stopped_and_marked(made):
    folder, plan = made
    write_run(folder, plan, RUNS[1])
    scheduler = halving(folder)
    assert decisions(scheduler, 0, [0.2, 0.1]) == ["CONTINUE", "CONTINUE"]
    assert decisions(scheduler, 1, [0.9]) == ["STOP"]
    assert folder.mark_of(RUNS[1]).state == STOPPED_EARLY
    assert folder.mark_of(RUNS[0]) is None


def test_single_bad_value_after_good_ones_does_not_stop_a_run(made):
    scheduler = halving(made[0])
    decisions(scheduler, 0, [0.5, 0.4])
    assert decisions(scheduler, 1, [0.3, 0.9]) == ["CONTINUE", "CONTINUE"]


def test_no_run_is_stopped_at_its_last_step(made):
    scheduler = halving(made[0])
    decisions(scheduler, 0, [0.1, 0.1, 0.1, 0.1])
    trial = SimpleNamespace(trial_id=1)
    scheduler.on_trial_add(None, trial)
    for step in (40, 41):
        assert scheduler.on_trial_result(None, trial, {"step": step}) == "CONTINUE"


def test_heartbeat_without_a_metric_stops_no_run(made):
    scheduler = halving(made[0])
    decisions(scheduler, 0, [0.1])
    trial = SimpleNamespace(trial_id=1)
    scheduler.on_trial_add(None, trial)
    assert scheduler.on_trial_result(None, trial, {"standing": None}) == "CONTINUE"


def test_earlier_runs_count(made):
    folder, plan = made
    write_run(folder, plan, RUNS[0], [0.2, 0.1], test=0.1)
    write_run(folder, plan, RUNS[1])
    scheduler = halving(folder, earlier=[RUNS[0]])
    assert decisions(scheduler, 1, [0.9]) == ["STOP"]


def test_resumed_run_counts_at_its_past_steps(made):
    folder, plan = made
    write_run(folder, plan, RUNS[0], [0.2, 0.15])
    for other in RUNS[1:3]:
        write_run(folder, plan, other)
    scheduler = halving(folder)
    assert decisions(scheduler, 0, [0.14], first_step=30) == ["CONTINUE"]
    assert decisions(scheduler, 1, [0.9]) == ["STOP"]
    assert decisions(scheduler, 2, [0.1, 0.1]) == ["CONTINUE", "CONTINUE"]
