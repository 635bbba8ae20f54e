"""How figures are put into words, the same in progress, lines and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rumcli import messages
from rumcli.tasks.baseline import Baseline

_BLOCKS = "▁▂▃▄▅▆▇█"


def metric_name(name: str) -> str:
    """Return a metric's name for people: `symbol_accuracy` → `symbol accuracy`."""
    return name.replace("_", " ")


def with_unit(name: str, task: str) -> str:
    """Return a metric's name for people with its unit, as an axis has it: `loss, nats`.

    Args:
        name: The metric's.
        task: Name of the task; the loss of a user's own may be anything.
    """
    # Bits per character say so themselves, and accuracies are in per cent.
    from rumcli.config.field_types import CUSTOM  # pydantic is slow to import

    unit = ", nats" if name == "loss" and task != CUSTOM else ""
    return f"{metric_name(name)}{unit}"


def value(name: str, number: float) -> str:
    """Write a metric's value: accuracies in per cent, losses with four significant digits.

    Zeros at the end are written too: `0.2980` beside `0.2702`.
    """
    if name.endswith("accuracy"):
        return f"{number:.1%}"
    # Three decimals, with which bits per character are published.
    return f"{number:.3f}" if name == "bits_per_character" else significant(number, 4)


def significant(number: float, digits: int) -> str:
    """Write a number with significant digits, zeros at the end included."""
    return f"{number:#.{digits}g}".removesuffix(".").replace(".e", "e")


def deviation(name: str, mean: float, number: float) -> str:
    """Write the deviation of a metric with the decimals that `value` gives its mean."""
    if name.endswith("accuracy"):
        return f"{number:.1%}"
    text = value(name, mean)
    if "e" in text:
        return f"{number:.1e}"
    decimals = len(text.partition(".")[2]) or 1
    return f"{number:.{decimals}f}"


def distance(baseline: Baseline, number: float) -> str:
    """Say where a value lies from the level of a model that has learned nothing."""
    if baseline.target < baseline.value:
        ratio = number / baseline.value
        if ratio >= 2:
            return f"{ratio:.1f} × {baseline.label}"
        side = "above" if ratio > 1 else "below"
        return f"{abs(ratio - 1):.1%} {side} {baseline.label}"
    points = 100 * (number - baseline.value)
    side = "above" if points >= 0 else "below"
    return f"{abs(points):.1f} points {side} {baseline.label}"


def sparkline(values: Sequence[float], width: int = 16) -> str:
    """Draw a series as one line of block characters: `▁▁▂▅█`.

    Args:
        values: Finite numbers, one for each character; of more than `width`, evenly spaced ones.
        width: Largest number of characters.
    """
    if len(values) > width:
        last = len(values) - 1
        values = [values[round(n * last / (width - 1))] for n in range(width)]
    low, high = min(values), max(values)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round(scale * (value - low))] for value in values)


def each_once(names: Iterable[str]) -> list[str]:
    """Write each of several names once, with how often it is there: `2 × NVIDIA H200`."""
    return [name if n == 1 else f"{n} × {name}" for name, n in Counter(names).items()]


def counted(number: int, what: str) -> str:
    """Write a number of things: `1 run`, `2,000 runs`."""
    return f"{number:,} {what if number == 1 else messages.plural(what)}"


def counted_of(number: int, whole: int | None, what: str) -> str:
    """Write a part of a number of things: `0 of 1 run`, `3 of 8 runs`; `3 runs` if there is none.

    Args:
        number: The part.
        whole: How many there are; None if that is not known.
        what: The thing.
    """
    if whole is None:
        return counted(number, what)
    return f"{number:,} of {counted(whole, what)}"


def duration(seconds: float) -> str:
    """Write a time: `48 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`."""
    whole = round(seconds)
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {smaller}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
