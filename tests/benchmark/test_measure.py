from types import SimpleNamespace

import pytest

from rumcli.benchmark import cases, measure
from rumcli.benchmark.cases import (
    CASES,
    BenchPoint,
    Case,
    Runner,
    Sample,
    Subject,
    Timing,
    benchmark_document,
    reference_timing,
)
from rumcli.benchmark.workers import peak_memory
from rumcli.errors import RunError

TINY = Case(name="copying", steps=5, batch=4, features=10, units=6, classes=9)


MACHINE = {
    "processor": "x",
    "cores": 2,
    "accelerators": [],
    "platform": "x",
    "python": "3.11",
    "keras": "3.10",
}
TENSORFLOW = {**MACHINE, "backend": "tensorflow", "tensorflow": "2.21"}
JAX = {**MACHINE, "backend": "jax", "jax": "0.10"}


def timing(label, cell, samples, backend="tensorflow"):
    made = Timing(Subject(label, cell), backend, parameters=1, first_step=1.0)
    made.samples = samples
    return made


@pytest.mark.e2e
def test_every_round_measures_every_subject_and_the_reference():
    chosen = cases.subjects(TINY, ["rum"], "tensorflow")
    assert [subject.label for subject in chosen] == ["rum", "rum, plain", "gru", "gru, jit"]
    on_jax = cases.subjects(TINY, ["rum"], "jax")
    assert [subject.label for subject in on_jax] == ["rum", "rum, plain", "gru"]
    uncompiled = chosen[1:3]  # XLA would compile the others for seconds
    found = measure.measure(TINY, uncompiled, rounds=3)
    assert [t.subject for t in found] == uncompiled
    assert all(len(t.samples) == 3 and min(t.samples) > 0 for t in found)
    # The first step contains compilation.
    assert all(t.first_step > t.median for t in found)


def test_plain_and_fused_cells_share_weights():
    case = TINY.model_copy(update={"return_sequences": False})
    for subject in cases.subjects(case, ["arum"], "jax")[:1]:
        runner = measure.prepare(case, subject)
        assert runner.parameters == 10 * 6 + 16 * 12 + 12 + 6 * 9 + 9
        assert runner.run(1).loss > 0


def test_a_run_trains_for_consecutive_steps_and_its_losses_fall():
    runner = measure.prepare(TINY, Subject("rnn", "rnn", {}, jit=False))
    samples = [runner.run(count) for count in (1, 40)]
    assert samples[1].loss < samples[0].loss
    assert all(sample.seconds > 0 for sample in samples)


def test_the_reference_is_the_faster_gru():
    slow, fast = timing("gru", "gru", [2.0, 2.0]), timing("gru, jit", "gru", [1.0, 1.0])
    ours = timing("rum", "rum", [0.5, 0.5])
    assert reference_timing(TINY, [ours, slow, fast], "tensorflow") is fast
    results = benchmark_document([BenchPoint(TINY, [ours, slow, fast])], [TENSORFLOW]).to_dict()[
        "cases"
    ][0]
    assert results["reference"] == "gru, jit"
    assert [r["ratio"] for r in results["results"]] == [0.5, 2.0, 1.0]


def test_ratios_are_to_the_gru_on_the_same_backend_and_on_the_first():
    timings = [
        timing("rum", "rum", [1.0]),
        timing("gru", "gru", [3.0]),
        timing("gru, jit", "gru", [2.0]),
        timing("rum", "rum", [3.0], "jax"),
        timing("gru", "gru", [4.0], "jax"),
    ]
    content = benchmark_document([BenchPoint(TINY, timings)], [TENSORFLOW, JAX]).to_dict()
    (case,) = content["cases"]
    assert [one["version"] for one in content["backends"]] == ["2.21", "0.10"]
    assert case["references"] == {"tensorflow": "gru, jit", "jax": "gru"}
    assert [r["ratio"] for r in case["results"]] == [0.5, 1.5, 1.0, 0.75, 1.0]
    assert [r["reference_ratio"] for r in case["results"]] == [0.5, 1.5, 1.0, 1.5, 2.0]


def test_pytorch_modules_are_measured_on_torch_only():
    case = CASES["copying"]
    on_torch = cases.subjects(case, cases.default_cells(case, "torch"), "torch")
    assert [s.label for s in on_torch] == ["rum", "gru", "lstm", "torch nn.GRU", "torch nn.LSTM"]
    assert not any("torch" in s.label for s in cases.subjects(case, ["rum"], "jax"))
    # PyTorch has no counterpart of a Fast-Slow RNN.
    stacked = cases.subjects(CASES["fast-slow"], ["fsrnn"], "torch")
    assert {s.cell for s in stacked} == {"fsrnn"}


def test_state_tracking_compares_all_cells():
    case = CASES["state_tracking"]
    chosen = cases.subjects(case, cases.default_cells(case, "jax"), "jax")
    labels = {subject.label for subject in chosen}
    assert {"rum", "arum", "goru", "eunn", "gru", "lstm", "slstm"} <= labels
    assert {"deltaproduct", "lru", "rum, plain"} <= labels
    assert "slstm, plain" not in labels  # it has only one loop


def test_slow_steps_that_are_not_compiled_get_fewer_samples(monkeypatch):
    now, steps = [0.0], []

    def prepare(case, subject):
        def run(count):
            steps.extend(count * [subject.label])
            seconds = count * (20.0 if subject.label == "slow" else 0.05)
            now[0] += seconds
            return Sample(seconds, loss=1.0)

        return Runner(1, run)

    monkeypatch.setattr(measure, "prepare", prepare)
    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(measure.keras.backend, "backend", lambda: "torch")
    subjects = [Subject("slow", "rum"), Subject("fast", "gru")]
    slow, fast = measure.measure(TINY, subjects, rounds=5)
    assert slow.samples == [20.0]
    assert fast.samples == pytest.approx([0.05] * 5)
    assert steps.count("slow") == 3  # one to prepare, one before the sample


def test_a_fast_slow_rnn_is_compared_with_its_own_plain_loop():
    case = CASES["fast-slow"]
    chosen = cases.subjects(case, ["fsrnn"], "tensorflow")
    assert [subject.label for subject in chosen] == ["fsrnn", "fsrnn, plain"]
    ours, plain = timing("fsrnn", "fsrnn", [1.0]), timing("fsrnn, plain", "fsrnn", [2.0])
    assert reference_timing(case, [ours, plain], "tensorflow") is plain


def test_spread_is_the_interquartile_range():
    assert timing("gru", "gru", [1.0, 1.0, 1.0, 9.0, 1.0]).spread == 0.0
    assert timing("gru", "gru", [1.0, 2.0, 3.0, 4.0, 5.0]).spread == pytest.approx(2 / 3)
    assert timing("gru", "gru", [1.0]).spread == 0.0


def test_sizes_match_the_tasks():
    sizes = {n: (c.steps, c.batch, c.units, c.features) for n, c in CASES.items()}
    assert sizes == {
        "copying": (220, 128, 100, 10),
        "recall": (53, 128, 50, 36),
        "characters": (150, 128, 1000, 128),
        "fast-slow": (150, 128, 700, 128),
        "state_tracking": (40, 256, 128, 60),
    }
    labels = [s.label for s in cases.subjects(CASES["characters"], ["rum"], "tensorflow")]
    assert "rum, layer norm and zoneout" in labels
    assert "arum" not in cases.default_cells(CASES["characters"], "tensorflow")


def test_a_series_grows_along_one_axis_at_a_time():
    points = cases.series(["rum"], "tensorflow")
    steps = [(c.steps, c.units) for axis, c, _ in points if axis == "steps"]
    assert steps == [(steps, 100) for steps in cases.SERIES_STEPS]
    assert {c.steps for axis, c, _ in points if axis == "units"} == {200}
    assert all([s.label for s in chosen] == ["rum", "gru"] for *_, chosen in points)


def test_document_separates_machine_series_and_cases():
    point = BenchPoint(TINY, [timing("gru", "gru", [1.0])], axis="steps")
    content = benchmark_document([point], [measure.describe_host()]).to_dict()
    assert content["machine"]["cores"] >= 1
    assert content["cases"] == []
    assert content["series"][0]["axis"] == "steps"


@pytest.mark.slow
def test_memory_is_measured_in_a_separate_process():
    small = peak_memory(TINY, Subject("rnn", "rnn"), "tensorflow")
    large = peak_memory(
        TINY.model_copy(update={"batch": 40_000}), Subject("rnn", "rnn"), "tensorflow"
    )
    # Inputs alone: 40,000 × 5 × 10 numbers; several arrays of 40,000 × 5 × 6.
    assert 50e6 < small < large - 20e6


@pytest.mark.e2e
def test_failed_measurement_reports_subject_and_cause():
    with pytest.raises(RunError, match="measuring the memory of x at copying failed: ValueError"):
        peak_memory(TINY, Subject("x", "bogus"), "tensorflow")
