"""`rumcli.benchmark.self_check`: the parts of `rum doctor` that need Keras, without delays."""

import keras
import pytest

from rumcli.benchmark import self_check
from rumcli.benchmark.cases import Pace, Subject, Timing, benchmark_document
from rumcli.training.listeners import Listener
from tests.benchmark.test_measure import TENSORFLOW


def test_backend_is_described_with_its_devices_and_threads():
    found = self_check.backend()
    assert found["name"] == keras.backend.backend()
    assert any("CPU" in device.upper() for device in found["devices"])
    assert found["accelerators"] == []
    if found["name"] == "tensorflow":
        assert set(found["threads"]) == {"intra_op", "inter_op"}


def test_fused_loops_are_listed_for_every_cell_with_a_reason_where_there_is_none():
    found = {one["cell"]: one for one in self_check.fused_loops()}
    assert found["rum"]["fused"]
    assert found["rum"]["reason"] is None
    assert not found["goru"]["fused"]
    assert "GORU" in found["goru"]["reason"]


def test_speed_has_the_median_and_the_spread_of_each_cell(monkeypatch):
    def measure(case, subjects, rounds):
        assert [subject.cell for subject in subjects] == ["rum", "gru"]
        timing = Timing(Subject("rum", "rum"), "tensorflow", parameters=1, first_step=0.5)
        timing.samples = [0.1, 0.2, 0.25, 0.3, 0.5][:rounds]
        return [timing]

    monkeypatch.setattr(self_check, "measure", measure)
    found = self_check.speed()
    assert found["case"]["steps"] == self_check.CASE.steps
    (result,) = found["results"]
    assert result["steps_per_second"] == 4.0
    assert result["first_step_seconds"] == 0.5


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
    monkeypatch.setattr(self_check, "_STEPS", {"recall": 14})
    monkeypatch.setattr(self_check, "_configuration", small_configuration)
    listeners = []

    def listener():
        listeners.append(Heard())
        return listeners[-1]

    pace = self_check.measure_pace("recall", "rum", rounds=2, listener=listener)

    assert len(pace.runs) == len(pace.bare) == 2
    assert min(pace.runs + pace.bare) > 0
    # The runs are complete.
    assert all(heard.steps == list(range(1, 15)) and heard.has_ended for heard in listeners)


def small_configuration(task, cell, steps):
    from tests import small

    return small.run_config(task, cell, steps=steps)


def test_configuration_matches_the_task():
    run = self_check._configuration("copying", "rum", 50)
    assert (run.task.delay, run.cell.units, run.train.batch_size) == (200, 100, 128)
    assert run.train.steps == run.train.eval_every == 50


def test_the_ratio_is_the_median_of_the_rounds():
    pace = Pace("recall", "rum", runs=[1.0, 1.2, 9.0], bare=[1.0, 1.0, 1.0])
    assert pace.ratio == 1.2
    assert benchmark_document([], [TENSORFLOW], [pace]).training[0].ratio == 1.2
