"""Tables of the results of one run, with the subtasks and predictions of bAbI.

Tables of several runs are in `run_tables`, those of sweeps and reproduced tables in
`job_set_tables`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rumcli import atomic_io
from rumcli.reporting import formatting
from rumcli.tasks.baseline import Baseline

if TYPE_CHECKING:
    from rumcli.json_schemas.analysis import Export, ImportedCell
    from rumcli.json_schemas.inputs import Estimate, LayerSummary, ModelSummary, PresetRow

_MAX_WRONG = 3  # wrong predictions listed per answer


def result(summary: dict[str, Any], validations: Sequence[float] = ()) -> Table:
    """Show the metrics of an evaluation beside the baseline.

    Args:
        summary: Content of `summary.json`, or the result of `rum eval`.
        validations: Monitored metric at each validation, drawn as a sparkline.
    """
    levels = summary["baseline"]
    baseline = Baseline(levels["label"], levels["value"], levels["target"], levels.get("published"))
    monitor, metric = levels["metric"], summary["metric"]
    title = f"{summary['task']} with {summary['cell']}, {summary['split']} split"
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")
    if "problem" in summary:
        table.add_row("problem", summary["problem"])
    if "subtask" in summary:
        level = f"{summary['input_level']} as time steps"
        table.add_row("subtask", f"{summary['subtask']}, {summary['subtask_name']}, {level}")
    for name in ("loss", metric, "perplexity"):
        if name in summary:
            shown = formatting.value(name, summary[name])
            if name == metric:
                shown += formatting.standard_error(summary.get("standard_error"))
            table.add_row(formatting.metric_name(name), shown)
    table.add_row(
        f"{baseline.label} {formatting.metric_name(monitor)}",
        formatting.value(monitor, baseline.value),
    )
    style = "green" if summary["beats_baseline"] else "yellow"
    gap = f"[{style}]{formatting.distance(baseline, summary[monitor])}[/]"
    table.add_row("gap to baseline", gap)
    if baseline.published is not None:
        table.add_row("published", formatting.value(monitor, baseline.published))
    for counted in ("examples", "characters", "questions"):
        if counted in summary:
            table.add_row(counted, f"{summary[counted]:,}")
    if "data" in summary:
        table.add_row("text", Text(atomic_io.readable(summary["data"])))
    table.add_row("weights of step", str(summary["weights_of_step"]))
    finite = [number for number in validations if math.isfinite(number)]
    if len(finite) > 1:
        ends = " → ".join(formatting.value(monitor, number) for number in (finite[0], finite[-1]))
        name = f"validation {formatting.metric_name(monitor)}"
        table.add_row(name, f"{formatting.sparkline(finite)} {ends}")
    if "steps" in summary:
        table.add_row("steps", f"{summary['steps']} in {formatting.duration(summary['seconds'])}")
        if summary.get("stopped_by"):
            table.add_row("stopped by", summary["stopped_by"])
        table.add_row("trainable weights", f"{summary['parameters']:,}")
    table.add_row(
        "run directory", Text(atomic_io.readable(summary["folder"]))
    )  # may look like markup
    return table


def lengths(rows: Sequence[dict[str, Any]], metric: str) -> Table:
    """Show the loss and accuracy at each length.

    Args:
        rows: Key `lengths` of the result of `rum eval`.
        metric: Metric of the task besides the loss.
    """
    table = Table(title="other lengths", title_justify="left")
    names = [name for name in ("length", "loss", metric, "final_accuracy") if name in rows[0]]
    for name in names:
        table.add_column(formatting.metric_name(name), justify="right")
    for row in rows:
        values = [formatting.value(name, row[name]) for name in names[1:]]
        table.add_row(f"{row['length']:,}", *values)
    return table


def estimate(size: Estimate) -> str:
    """Return the size of a run as YAML comments, which may follow its configuration."""
    epochs = ""
    if size.steps_per_epoch is not None:
        epochs = f", {size.steps / size.steps_per_epoch:.3g} epochs"
    source = "" if size.data is None else f" of {atomic_io.readable(size.data)}"
    lines = [
        f"{size.parameters:,} trainable weights",
        f"a training step requires at least {size.memory / 1e6:,.1f} MB of memory, besides the "
        "backend and the intermediate values of the time steps",
        f"{size.steps:,} training steps with a batch size of {size.batch_size:,}{epochs}",
        f"{size.validation:,} {size.unit} for validation, {size.test:,} for the test{source}",
        "the time is not estimated; 'rum train' shows it after the first steps",
    ]
    return "\n".join(f"# {line}" for line in lines)


def checks(results: Sequence[Any]) -> Table:
    """Show each error of the self-test beside its tolerance.

    Args:
        results: Results of the checks. A failed check has a row for each size that failed. A passed
            check has one row, for the size closest to the tolerance.
    """
    table = Table(title="rotation-check", title_justify="left")
    table.add_column("check", overflow="fold")
    table.add_column("dtype")
    table.add_column("H", justify="right")
    table.add_column("error", justify="right", no_wrap=True)
    table.add_column("tolerance", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    groups: dict[tuple[str, str], list[Any]] = {}
    for result in results:
        groups.setdefault((result.check, result.dtype), []).append(result)
    for group in groups.values():
        closest = max(group, key=lambda check: check.error / check.tolerance)
        for check in [check for check in group if not check.passed] or [closest]:
            verdict = "[green]ok[/]" if check.passed else "[red]FAILED[/]"
            error, tolerance = f"{check.error:.1e}", f"{check.tolerance:.1e}"
            table.add_row(check.check, check.dtype, str(check.dim), error, tolerance, verdict)
    sizes = ", ".join(str(size) for size in sorted({result.dim for result in results}))
    table.caption = f"checked for H = {sizes}; each row shows the size closest to its tolerance"
    table.caption_justify = "left"
    return table


def model(summary: ModelSummary) -> Table:
    """Show the layers of a preset's model, with nested cells indented."""
    table = Table(
        title=f"{summary.preset}: {summary.weights:,} trainable weights", title_justify="left"
    )
    table.add_column("layer", overflow="fold")
    table.add_column("kind", overflow="fold")
    table.add_column("output", overflow="fold")
    table.add_column("weights", justify="right", no_wrap=True)
    for layer in summary.layers:
        _add_layer(table, layer, "")
        for part in layer.parts:
            _add_layer(table, part, "  ")
    if summary.symbols is not None:
        table.caption = (
            f"for the {summary.symbols} symbols of Penn Treebank; another text may have more"
        )
        table.caption_justify = "left"
    return table


def _add_layer(table: Table, layer: LayerSummary, indent: str) -> None:
    shape = f"[{', '.join(map(str, layer.output_shape))}]"
    table.add_row(indent + layer.name, layer.kind, Text(shape), f"{layer.weights:,}")


def exported(export: Export) -> Table:
    """Show the exported model."""
    title = f"{export.task} with {export.cell} as {export.format}"
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("written", Text(atomic_io.readable(export.path)))
    table.add_row("size", f"{export.bytes / 1e6:.2f} MB")
    table.add_row("weights of step", str(export.weights_of_step))
    for name, tensors in (("input", export.inputs), ("output", export.outputs)):
        for tensor in tensors:
            sizes = ", ".join("any" if size is None else str(size) for size in tensor.shape)
            table.add_row(name, Text(f"{tensor.name} [{sizes}] {tensor.dtype}"))
    difference = f"{export.largest_difference:.1e} at most, on {export.examples_compared}"
    table.add_row("difference after loading", f"{difference} examples")
    return table


def imported(imported_cell: ImportedCell) -> Table:
    """Show the imported weights, with their names in the checkpoint."""
    title = f"{imported_cell.cell} of {imported_cell.scope or imported_cell.checkpoint}"
    table = Table(title=Text(atomic_io.readable(title)), show_header=False, title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("written", Text(atomic_io.readable(imported_cell.path)))
    table.add_row("sizes", f"{imported_cell.features} features, {imported_cell.units} units")
    for name, checkpoint_names in imported_cell.variables.items():
        table.add_row(name, Text(", ".join(checkpoint_names)))
    return table


def presets(rows: Iterable[PresetRow]) -> Table:
    """Show the presets with task and description."""
    table = Table(title="presets", title_justify="left")
    table.add_column("name", no_wrap=True)
    table.add_column("task")
    table.add_column("description", overflow="fold")
    for row in rows:
        table.add_row(row.name, row.task, row.description)
    return table


def babi_confusion(rows: Sequence[dict[str, Any]], most: int = 15) -> Table:
    """Show the accuracy for each answer and its most frequent wrong predictions.

    Args:
        rows: Rows of the key `confusion` of `rum eval --json`.
        most: Maximum number of answers to show; the caption counts the others.
    """
    table = Table(title="answers", title_justify="left")
    table.add_column("answer", overflow="fold")
    table.add_column("questions", justify="right", no_wrap=True)
    table.add_column("accuracy", justify="right", no_wrap=True)
    table.add_column("wrong predictions", overflow="fold")
    for row in rows[:most]:
        wrong = [(name, count) for name, count in row["given"].items() if name != row["answer"]]
        shown = ", ".join(f"{name} {count}" for name, count in wrong[:_MAX_WRONG])
        rest = sum(count for _, count in wrong[_MAX_WRONG:])
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


BABI_LEGEND = "* supporting fact; numbers: attention weights of the sentence, one for each hop\n"


def babi_example(content: dict[str, Any]) -> Group:
    """Show a story with its question, answer, prediction and attention weights.

    Args:
        content: An entry of the key `stories` of `rum eval --json`.
    """
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    num_hops = len(content["story"][0]["attention"] or []) if content["story"] else 0
    for _ in range(num_hops):
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


def babi_subtasks(summary: dict[str, Any]) -> Table:
    """Show the accuracy for each subtask, their mean, and the number of solved subtasks.

    Args:
        summary: Result of `training.suite.summarize`.
    """
    table = Table(
        title=f"{summary['task']} with {summary['cell']}, {summary['split']} split",
        title_justify="left",
        show_footer=True,
    )
    passed_from = f"{summary['passed_from']:.0%}"
    table.add_column("", footer="", justify="right", no_wrap=True)
    table.add_column("subtask", footer="mean", overflow="fold")
    error = formatting.standard_error(summary["standard_error"])
    mean = f"{summary['mean_accuracy']:.1%}{error}"
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
    means = ", ".join(
        f"{name} {100 * mean:.4g}%" for name, mean in summary["published_means"].items()
    )
    table.caption = f"published means (from memory, unverified): {means}"
    table.caption_justify = "left"
    return table
