"""Progress of a training run: a live bar in a terminal, log lines in a pipe."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rumcli.reporting import formatting
from rumcli.reporting.formatting import LineDisplay, LiveDisplay
from rumcli.training.listeners import Listener, RunInfo

_STEPS = 20

_SECONDS_BETWEEN_LINES = 10.0


class Throughput:
    """Moving averages over the last steps, and steps per second.

    Args:
        first_step: Number of steps done before.
        last_step: Number of steps of the whole run.
    """

    def __init__(self, first_step: int, last_step: int) -> None:
        self._last_step = last_step
        self._logs: deque[dict[str, float]] = deque(maxlen=_STEPS)
        self._times: deque[float] = deque(maxlen=_STEPS + 1)
        self.step = first_step

    def add(self, step: int, logs: dict[str, float]) -> None:
        """Record one step."""
        self.step = step
        self._logs.append(logs)
        self._times.append(time.monotonic())

    def pause(self) -> None:
        """Exclude the time until the next step from the throughput."""
        self._times.clear()

    def mean(self, name: str) -> float:
        """Return the mean of a metric over the last steps."""
        return sum(log[name] for log in self._logs) / len(self._logs)

    @property
    def steps_per_second(self) -> float | None:
        """Steps per second; None until two steps are done."""
        if len(self._times) < 2 or self._times[-1] == self._times[0]:
            return None
        return (len(self._times) - 1) / (self._times[-1] - self._times[0])

    @property
    def seconds_left(self) -> float | None:
        """Estimated time for the remaining steps, in seconds; None until two steps are done."""
        pace = self.steps_per_second
        return (self._last_step - self.step) / pace if pace else None


def listener(console: Console, quiet: bool, live: bool) -> Listener:
    """Return a listener that shows the progress of a run.

    Args:
        console: Console to write to.
        quiet: Whether to show only warnings.
        live: Whether the console is a terminal that can redraw lines.
    """
    kind = QuietProgress if quiet else LiveProgress if live else PlainProgress
    return kind(console)


class QuietProgress(LineDisplay, Listener):
    """Listener that shows only warnings."""

    def warned(self, message: str) -> None:
        """Print a warning."""
        self._warn(message)


class PlainProgress(QuietProgress):
    """Listener that prints a line at each evaluation, and one every ten seconds between them."""

    _plan: RunInfo
    _window: Throughput
    _last_line: float

    def started(self, plan: RunInfo) -> None:
        """Print the configuration of the run."""
        self._plan = plan
        self._window = Throughput(plan.first_step, plan.steps)
        self._last_line = 0.0
        self._say(_headline(plan))

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        """Print a line if the last one was long ago."""
        self._window.add(step, logs)
        if time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            parts = [_figures(self._plan, self._window), _pace(self._window)]
            self._line(step, ", ".join(part for part in parts if part))

    def evaluated(self, record: dict[str, Any]) -> None:
        """Print the evaluation."""
        self._line(record["step"], _evaluation(self._plan, record))
        self._window.pause()

    def testing(self) -> None:
        """Print that the test split is being evaluated."""
        self._say("evaluating the test split")

    def _line(self, step: int, text: str) -> None:
        self._last_line = time.monotonic()
        self._say(f"step {step}/{self._plan.steps}: {text}")


class LiveProgress(PlainProgress):
    """Listener that shows a progress bar with the latest metrics below the evaluations."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bottom = LiveDisplay(console)

    def started(self, plan: RunInfo) -> None:
        """Print the configuration of the run and show the bar."""
        super().started(plan)
        self._draw("building the graph")
        self._bottom.start()

    def stepped(self, step: int, logs: dict[str, float]) -> None:
        """Show the latest metrics."""
        self._window.add(step, logs)
        self._draw(_pace(self._window), _figures(self._plan, self._window))

    def testing(self) -> None:
        """Print that the test split is being evaluated."""
        self._draw("evaluating the test split")

    def ended(self) -> None:
        """Remove the bar."""
        self._bottom.remove()

    def _draw(self, activity: str, figures: str = "") -> None:
        self._bottom.change(self._renderable(activity, figures))

    def _renderable(self, activity: str, figures: str) -> Group:
        bar = Table.grid(padding=(0, 1), expand=True)
        bar.add_column(no_wrap=True)
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True, justify="right")
        bar.add_row(
            f"step {self._window.step}/{self._plan.steps}",
            ProgressBar(total=self._plan.steps, completed=self._window.step),
            activity,
        )
        return Group(bar, Text(figures)) if figures else Group(bar)


def _headline(plan: RunInfo) -> str:
    begin = f"from step {plan.first_step} " if plan.first_step else ""
    return (
        f"{plan.task} with {plan.cell}, {plan.parameters:,} weights, {begin}to step {plan.steps}; "
        f"{plan.baseline.label} {formatting.metric_name(plan.monitor)} "
        f"{formatting.value(plan.monitor, plan.baseline.value)}; run directory {plan.folder}"
    )


def _figures(plan: RunInfo, window: Throughput) -> str:
    values = _values(plan, {name: window.mean(name) for name in _shown(plan)})
    if plan.steps_per_epoch is None:
        return values
    last, passes = max(window.step - 1, 0), -(-plan.steps // plan.steps_per_epoch)
    return f"epoch {last // plan.steps_per_epoch + 1}/{passes}, {values}"


def _evaluation(plan: RunInfo, record: dict[str, Any]) -> str:
    values = {name: record[f"val_{name}"] for name in _shown(plan)}
    return f"validation {_values(plan, values)}"


def _shown(plan: RunInfo) -> tuple[str, ...]:
    # Bits per character are the loss in another unit.
    return (plan.metric,) if plan.metric == "bits_per_character" else ("loss", plan.metric)


def _values(plan: RunInfo, values: dict[str, float]) -> str:
    shown = [
        f"{formatting.metric_name(name)} {formatting.value(name, values[name])}" for name in values
    ]
    return ", ".join([*shown, formatting.distance(plan.baseline, values[plan.monitor])])


def _pace(window: Throughput) -> str:
    pace, left = window.steps_per_second, window.seconds_left
    if pace is None or left is None:
        return ""
    return f"{formatting.significant(pace, 3)} steps/s, {formatting.duration(left)} left"
