"""Tables of bAbI predictions and accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rumcli.reporting import formatting

_WRONG_SHOWN = 3  # wrong predictions listed per answer


def confusion(rows: Sequence[dict[str, Any]], most: int = 15) -> Table:
    """Show the accuracy for each answer and its most frequent wrong predictions.

    Args:
        rows: Rows of `predictions.confusion`.
        most: Maximum number of answers to show; the caption counts the others.
    """
    table = Table(title="answers", title_justify="left")
    table.add_column("right answer", overflow="fold")
    table.add_column("questions", justify="right", no_wrap=True)
    table.add_column("right", justify="right", no_wrap=True)
    table.add_column("given instead", overflow="fold")
    for row in rows[:most]:
        wrong = [(name, count) for name, count in row["given"].items() if name != row["answer"]]
        shown = ", ".join(f"{name} {count}" for name, count in wrong[:_WRONG_SHOWN])
        rest = sum(count for _, count in wrong[_WRONG_SHOWN:])
        table.add_row(
            Text(row["answer"]),
            f"{row['questions']:,}",
            f"{row['right'] / row['questions']:.1%}",
            Text(f"{shown}, others {rest}" if rest else shown),
        )
    if len(rows) > most:
        questions = sum(row["questions"] for row in rows[most:])
        table.caption = f"and {len(rows) - most} rarer answers to {questions:,} questions"
        table.caption_justify = "left"
    return table


LEGEND = (
    "* the answer follows from this sentence; the numbers: how much of its attention the model "
    "gives to a sentence, look by look\n"
)


def example(content: dict[str, Any]) -> Group:
    """Show a story with its question, answer, prediction and attention weights.

    Args:
        content: An entry of `predictions.examples`.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    looks = len(content["story"][0]["attention"] or []) if content["story"] else 0
    for _ in range(looks):
        table.add_column(justify="right", no_wrap=True)
    for line in content["story"]:
        mark = "*" if line["supporting"] else ""
        weights = [_weight(weight) for weight in line["attention"] or []]
        style = "bold" if line["supporting"] else ""
        table.add_row(f"{mark}{line['line']}", Text(line["text"], style=style), *weights)
    is_right = content["answer"] == content["given"]
    verdict = Text(f"{content['given']} ({content['probability']:.0%})")
    verdict.stylize("green" if is_right else "red")
    end = Text.assemble(
        content["question"],
        "  ",
        verdict,
        "" if is_right else f"  right: {content['answer']}",
        "\n",
    )
    return Group(table, end)


def _weight(weight: float) -> Text:
    return Text(f"{weight:.2f}", style="bold" if weight >= 0.5 else "dim" if weight < 0.05 else "")


def subtasks(summary: dict[str, Any]) -> Table:
    """Show the accuracy for each subtask, their mean, and the number of solved subtasks.

    Args:
        summary: Result of `training.babi_suite.summarize`.
    """
    table = Table(
        title=f"{summary['task']} with {summary['cell']}, {summary['split']} split",
        title_justify="left",
        show_footer=True,
    )
    passed_from = f"{summary['passed_from']:.0%}"
    table.add_column("", footer="", justify="right", no_wrap=True)
    table.add_column("subtask", footer="mean", overflow="fold")
    mean = f"{summary['mean_accuracy']:.1%}"
    table.add_column("accuracy", footer=mean, justify="right", no_wrap=True)
    table.add_column("majority", justify="right", no_wrap=True)
    passed = f"{summary['passed']} of {len(summary['subtasks'])}"
    table.add_column(f"from {passed_from}", footer=passed, justify="right", no_wrap=True)
    table.add_column("time", footer=formatting.duration(summary["seconds"]), no_wrap=True)
    for row in summary["subtasks"]:
        is_passed = row["accuracy"] >= summary["passed_from"]
        table.add_row(
            str(row["subtask"]),
            row["name"],
            f"{row['accuracy']:.1%}",
            f"{row['majority']:.1%}",
            "[green]passed[/]" if is_passed else "",
            formatting.duration(row["seconds"]),
        )
    means = ", ".join(f"{name} {mean:.4g}%" for name, mean in _in_per_cent(summary))
    table.caption = f"published means (from memory, unverified): {means}"
    table.caption_justify = "left"
    return table


def _in_per_cent(summary: dict[str, Any]) -> list[tuple[str, float]]:
    return [(name, 100 * mean) for name, mean in summary["published_means"].items()]
