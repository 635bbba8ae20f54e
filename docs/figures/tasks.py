"""Draw an example of each task, from the generators used in training, as `task-NAME.svg`.

From the root of the repository: `python -m docs.figures.tasks`. Needs matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patches
from matplotlib.axes import Axes

from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.babi.stories import Question
from rumcli.tasks.char_lm.dataset import BPTTWindows
from rumcli.tasks.copying import data as copying_data
from rumcli.tasks.copying.config import CopyingConfig
from rumcli.tasks.recall import data as recall_data
from rumcli.tasks.recall.config import RecallConfig

INK, FAINT, EMPTY, ASKED = "#222222", "#7a7a7a", "#f1f3f5", "#ffd8a8"
COLORS = ["#a6cee3", "#b2df8a", "#fdbf6f", "#fb9a99", "#cab2d6", "#ffff99", "#8dd3c7", "#d9b38c"]
_TEXT = "a rotation keeps the length of what it turns. "


def row(axes: Axes, y: float, name: str, cells: Sequence[tuple[str, str]]) -> None:
    """Draw one labeled row with a colored box of text per time step."""
    axes.text(-0.4, y + 0.5, name, ha="right", va="center", fontsize=9, color=INK)
    for x, (text, color) in enumerate(cells):
        box = patches.Rectangle((x, y), 1, 1, facecolor=color, edgecolor="white", lw=1)
        axes.add_patch(box)
        axes.text(x + 0.5, y + 0.47, text, ha="center", va="center", fontsize=8, color=INK)


def note(axes: Axes, x: float, y: float, text: str, **options: object) -> None:
    """Write an annotation."""
    axes.text(x, y, text, fontsize=9, color=FAINT, va="center", **options)


def blank(width: float, height: float, left: float = 4.5, inches: float = 0.23) -> plt.Figure:
    """Create a figure in which one time step is one square."""
    drawn, axes = plt.subplots(figsize=((width + left) * inches, height * inches))
    drawn.subplots_adjust(0, 0, 1, 1)
    axes.set(xlim=(-left, width), ylim=(0, height))
    axes.axis("off")
    return drawn


def copying_example(delay: int = 20) -> plt.Figure:
    """Draw inputs and targets of an example of copying."""
    inputs, targets = copying_data.examples(CopyingConfig(delay=delay), 1, "train", 0, 1)

    def cell(symbol: int) -> tuple[str, str]:
        if symbol == copying_data.MARKER:
            return "▸", ASKED
        return ("", EMPTY) if symbol == copying_data.BLANK else (str(symbol), COLORS[symbol - 1])

    steps = inputs.shape[1]
    drawn = blank(steps + 0.3, 4.6)
    axes = drawn.axes[0]
    row(axes, 2.4, "input", [cell(symbol) for symbol in inputs[0]])
    row(axes, 1.2, "target", [cell(symbol) for symbol in targets[0]])
    note(axes, 5, 4.0, "ten symbols", ha="center")
    note(axes, 10 + (delay - 1) / 2, 4.0, f"T − 1 blanks (here T = {delay})", ha="center")
    note(axes, delay + 9.5, 4.0, "marker", ha="center")
    note(axes, steps - 5, 0.6, "the symbols to repeat", ha="center")
    return drawn


def recall_example(delay: int = 20) -> plt.Figure:
    """Draw the input and the answer of an example of recall."""
    inputs, targets = recall_data.examples(RecallConfig(delay=delay), 1, "train", 3, 1)
    pairs = delay // 2
    symbols = inputs[0]
    query = symbols[-1]

    def cell(symbol: int, before: int) -> tuple[str, str]:
        if symbol == recall_data.BLANK:
            return "", EMPTY
        if symbol <= pairs:
            return f"k{symbol}", ASKED if symbol == query else "#dbe4f0"
        return str(symbol - pairs - 1), ASKED if before == query else "#e6f2dc"

    cells = [cell(s, b) for s, b in zip(symbols, [0, *symbols[:-1]], strict=True)]
    drawn = blank(len(symbols) + 4.5, 3.8)
    axes = drawn.axes[0]
    row(axes, 1.2, "input", cells)
    note(
        axes,
        delay / 2,
        2.8,
        f"T/2 keys, each followed by its value (here T = {delay})",
        ha="center",
    )
    note(axes, len(symbols) - 0.5, 2.8, "query", ha="center")
    axes.text(len(symbols) + 0.5, 1.7, f"→  {targets[0]}", fontsize=11, va="center", color=INK)
    note(axes, len(symbols) + 2, 0.6, "answer", ha="center")
    return drawn


def babi_example(subtask: int = 2) -> plt.Figure:
    """Draw a story up to its first question and mark its supporting lines."""
    stories = story_generator.stories(subtask, 1, "train", 200)
    story = min((s.until(1) for s in stories), key=lambda s: (len(s.lines) < 6, len(s.lines)))
    question = story.lines[-1]
    assert isinstance(question, Question)
    drawn = blank(30, 1.3 * len(story.lines) + 0.8, left=0.5)
    axes = drawn.axes[0]
    for number, line in enumerate(story.lines, 1):
        y = 1.3 * (len(story.lines) - number) + 0.4
        supports = number in question.supporting
        color = "#e6f2dc" if supports else ASKED if line is question else EMPTY
        axes.add_patch(patches.Rectangle((0, y), 20, 1.15, facecolor=color, lw=0))
        axes.text(0.4, y + 0.55, f"{number}", fontsize=9, color=FAINT, va="center")
        axes.text(1.6, y + 0.55, line.text, fontsize=9, color=INK, va="center")
    axes.text(20.6, 0.95, f"→  {question.answer}", fontsize=11, va="center", color=INK)
    first = len(story.lines) - min(question.supporting)
    note(axes, 20.6, 1.3 * first + 0.95, "supporting lines")
    return drawn


def characters_example(streams: int = 3, length: int = 12) -> plt.Figure:
    """Draw two windows of a text in parallel streams, and the targets of one of them."""
    text = np.frombuffer((_TEXT * 2).encode(), dtype=np.uint8).astype(np.int32)
    windows = BPTTWindows(text, streams, length)
    drawn = blank(2 * length + 1.5, 1.2 * streams + 3.4, left=7)
    axes = drawn.axes[0]

    def cells(codes: Sequence[int], color: str) -> list[tuple[str, str]]:
        return [(chr(code).replace(" ", "␣"), color) for code in codes]

    for stream in range(streams):
        y = 1.2 * (streams - stream) + 1.0
        shown: list[tuple[str, str]] = []
        for number, color in enumerate(("#dbe4f0", "#e6f2dc")):
            shown += cells(windows.training_window(number)[0][stream], color)
        row(axes, y, f"stream {stream + 1}", shown)
    targets = windows.training_window(0)[1][-1]
    row(axes, 0.9, f"targets of stream {streams}", cells(targets, ASKED))
    note(axes, length / 2, 1.2 * streams + 2.7, f"window 1 (here {length} steps)", ha="center")
    note(axes, 1.5 * length, 1.2 * streams + 2.7, "window 2: states carried over", ha="center")
    note(axes, length + 0.5, 1.4, "the next character at each step")
    return drawn


FIGURES = {
    "copying": copying_example,
    "recall": recall_example,
    "babi": babi_example,
    "characters": characters_example,
}

if __name__ == "__main__":
    plt.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "rum", "font.family": "sans-serif"}
    )
    for name, draw in FIGURES.items():
        draw().savefig(
            Path(__file__).parent / f"task-{name}.svg", metadata={"Date": None, "Creator": None}
        )
