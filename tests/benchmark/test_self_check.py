"""`rumcli.benchmark.self_check`: the parts of `rum doctor` that need Keras, without delays."""

import keras

from rumcli.benchmark import self_check
from rumcli.benchmark.cases import Subject
from rumcli.benchmark.timing import Timing


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
