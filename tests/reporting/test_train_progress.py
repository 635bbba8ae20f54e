import dataclasses
import io

import pytest
from rich.console import Console

from rumcli.reporting import train_progress
from rumcli.reporting.train_progress import Throughput
from rumcli.tasks.baseline import Baseline
from rumcli.training.listeners import RunInfo

PLAN = RunInfo(
    task="copying",
    cell="arum",
    parameters=1234,
    first_step=0,
    steps=40,
    metric="symbol_accuracy",
    monitor="loss",
    baseline=Baseline("memoryless", 0.5, 0.0),
    steps_per_epoch=None,
    folder="runs/x",
)
RECORD = {"step": 20, "loss": 1.0, "val_loss": 0.25, "val_symbol_accuracy": 0.75}


def report_run(listener, plan=PLAN):
    listener.started(plan)
    for step in range(1, 21):
        listener.stepped(step, {"loss": 1.0, "symbol_accuracy": 0.5})
    listener.evaluated(RECORD)
    listener.warned("checkpoint [x] is damaged")
    listener.testing()
    listener.ended()


@pytest.mark.parametrize("width", [30, 200])
def test_pipe_receives_one_line_per_message(width):
    file = io.StringIO()
    listener = train_progress.listener(Console(file=file, width=width), quiet=False, live=False)
    report_run(listener)
    assert file.getvalue().splitlines() == [
        "copying with arum, 1,234 weights, to step 40; memoryless loss 0.5000; "
        "run directory runs/x",
        "step 1/40: loss 1.000, symbol accuracy 50.0%, 2.0 × memoryless",
        "step 20/40: validation loss 0.2500, symbol accuracy 75.0%, 50.0% below memoryless",
        "warning: checkpoint [x] is damaged",
        "evaluating the test split",
    ]


@pytest.mark.parametrize("width", [40, 60, 120])
def test_terminal_output_fits_its_width(width):
    file = io.StringIO()
    console = Console(file=file, width=width, height=20, force_terminal=True, color_system=None)
    listener = train_progress.listener(console, quiet=False, live=True)
    listener.started(PLAN)
    listener.stepped(1, {"loss": 1.0, "symbol_accuracy": 0.5})
    listener.ended()  # or the bar would be drawn in between
    with console.capture() as captured:
        console.print(listener._renderable("1.5 steps/s", "loss 1, symbol accuracy 50.0%"))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("step 1/40")
    assert lines[1].startswith("loss 1, symbol accuracy")


def test_epochs_over_a_text_are_counted():
    file = io.StringIO()
    plan = dataclasses.replace(PLAN, steps_per_epoch=15)
    report_run(
        train_progress.listener(Console(file=file, width=200), quiet=False, live=False), plan
    )
    assert "step 1/40: epoch 1/3, loss 1.000, " in file.getvalue()


def test_quiet_prints_warnings_only():
    file = io.StringIO()
    report_run(train_progress.listener(Console(file=file, width=80), quiet=True, live=True))
    assert file.getvalue() == "warning: checkpoint [x] is damaged\n"


def test_the_window_has_the_mean_of_the_last_steps_and_their_pace(monkeypatch):
    window = Throughput(0, 100)
    clock = iter(range(1000))
    monkeypatch.setattr("rumcli.reporting.train_progress.time.monotonic", lambda: next(clock) / 2)
    assert window.steps_per_second is None
    for step in range(1, 31):
        window.add(step, {"loss": float(step)})
    assert window.mean("loss") == sum(range(11, 31)) / 20
    assert window.steps_per_second == 2.0
    assert window.seconds_left == 35.0
    window.pause()
    assert window.steps_per_second is None
