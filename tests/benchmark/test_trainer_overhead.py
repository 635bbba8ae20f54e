import pytest

from rumcli.benchmark import trainer_overhead
from rumcli.benchmark.json_report import document
from rumcli.benchmark.timing import Pace
from rumcli.training.listeners import Listener
from tests.benchmark.test_measure import TENSORFLOW


class Heard(Listener):
    def __init__(self):
        self.steps = []
        self.has_ended = False

    def stepped(self, step, logs):
        self.steps.append(step)

    def ended(self):
        self.has_ended = True


@pytest.mark.slow
def test_run_and_bare_steps_are_both_measured(monkeypatch):
    monkeypatch.setattr(trainer_overhead, "_STEPS", {"recall": 14})
    monkeypatch.setattr(trainer_overhead, "_configuration", small_configuration)
    listeners = []

    def listener():
        listeners.append(Heard())
        return listeners[-1]

    pace = trainer_overhead.measure_pace("recall", "rum", rounds=2, listener=listener)

    assert len(pace.runs) == len(pace.bare) == 2
    assert min(pace.runs + pace.bare) > 0
    # Whole runs, to their ends.
    assert all(heard.steps == list(range(1, 15)) and heard.has_ended for heard in listeners)


def small_configuration(task, cell, steps):
    from tests import small

    return small.run_config(task, cell, steps=steps)


def test_configuration_matches_the_task():
    run = trainer_overhead._configuration("copying", "rum", 50)
    assert (run.task.delay, run.cell.units, run.train.batch_size) == (200, 100, 128)
    assert run.train.steps == run.train.eval_every == 50


def test_the_ratio_is_the_median_of_the_rounds():
    pace = Pace("recall", "rum", runs=[1.0, 1.2, 9.0], bare=[1.0, 1.0, 1.0])
    assert pace.ratio == 1.2
    assert document([], [TENSORFLOW], [pace]).training[0].ratio == 1.2
