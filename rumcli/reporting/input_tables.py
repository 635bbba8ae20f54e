"""Tables of cells, tasks and their options, and of the data of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rumcli import atomic_io
from rumcli.config.catalog import Entry, Option
from rumcli.json_schemas.inputs import (
    StoriesData,
    StorySplits,
    SubtaskData,
    TextData,
    TextSplit,
    TextSplits,
)
from rumcli.reporting import formatting
from rumcli.reporting.formatting import NOTHING, Columns, responsive_table

_CUSTOM = {"cells": "a custom layer", "tasks": "a custom task"}

_SPLITS = tuple(TextSplits.model_fields)
_STORY_COLUMNS = (*_SPLITS, "words", "answers", "longest", "majority", "overlap", "steps")
_MAX_SYMBOLS = 8  # unknown bytes listed per table cell


def entry_list(title: str, entries: Sequence[Entry]) -> RenderableType:
    """Show cells or tasks as a list, which leaves room for their many options."""
    table = Table(title=title, title_justify="left", show_header=False, show_lines=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for entry in entries:
        table.add_row(entry.name, Text("\n").join(_lines(entry)))
    table.caption = (
        f"rum {title} NAME shows the defaults and the values of the options; {_CUSTOM[title]} "
        "is named package.module:Class"
    )
    table.caption_justify = "left"
    return table


def entry_details(entry: Entry) -> RenderableType:
    """Show a cell or a task with the values and defaults of its options."""
    table = Table(title_justify="left")
    table.add_column("option", no_wrap=True)
    table.add_column("default", overflow="fold")
    table.add_column("values", overflow="fold")
    for option in entry.options:
        meaning = f"{option.values}; {option.description}" if option.description else option.values
        table.add_row(Text(option.name), Text(_default(option)), Text(meaning))
    head = [line for line in _lines(entry) if not line.plain.startswith("options: ")]
    return Group(Text(entry.name, style="bold"), *head, table)


def _lines(entry: Entry) -> list[Text]:
    lines = [entry.description, f"options: {', '.join(one.name for one in entry.options)}"]
    if entry.metrics:
        lines.append(f"metrics: {', '.join(entry.metrics)}")
    if entry.presets:
        lines.append(f"presets: {', '.join(entry.presets)}")
    return [Text(line) for line in [*lines, f"source: {entry.source}"]]


def _default(option: Option) -> str:
    default = option.default
    return formatting.setting(default["name"] if isinstance(default, dict) else default)


def text_data(data: TextData) -> RenderableType:
    """Show the splits of a text as columns, and the size of a run on it."""
    splits = [getattr(data.splits, split) for split in _SPLITS]
    rows = [[name, *cells] for name, cells in _text_rows(data, splits)]
    columns: Columns = {"": "left", **dict.fromkeys(_SPLITS, "right")}
    table = responsive_table(Text(atomic_io.readable(data.path)), columns, [rows])
    return Group(table, *_text_run(data))


def _text_rows(data: TextData, splits: list[TextSplit]) -> Iterator[tuple[str, list[str]]]:
    yield "bytes", [f"{split.bytes:,}" for split in splits]
    yield "different bytes", [str(split.symbols) for split in splits]
    yield "entropy, bits/byte", [f"{split.entropy:.3f}" for split in splits]
    yield "unknown bytes", [NOTHING, *map(_unknown, splits[1:])]
    for other in _SPLITS[:-1]:
        yield (
            f"passages in {other}",
            [
                _share(split.overlap[other]) if other in split.overlap else NOTHING
                for split in splits
            ],
        )


def _unknown(split: TextSplit) -> str:
    if not split.unknown:
        return "0"
    symbols = [f"0x{number:02X}" for number in split.unknown_symbols]
    more = ["…"] if len(symbols) > _MAX_SYMBOLS else []
    return f"{split.unknown:,}: {' '.join([*symbols[:_MAX_SYMBOLS], *more])}"


def _text_run(data: TextData) -> Iterator[Text]:
    yield Text(
        f"A passage has {data.passage_bytes} bytes. Unknown bytes do not occur in the training "
        "split."
    )
    if data.penn_treebank:
        yield Text("The splits are those of Penn Treebank.")
    run = data.run
    if run is None:
        return
    unknown = ", one of them for unknown bytes" if run.unknown_class else ""
    yield Text(
        f"Preset {atomic_io.readable(run.preset)}: {run.classes} classes{unknown}; "
        f"{run.batch_size} streams, windows of {run.bptt_steps} bytes, "
        f"{run.windows_per_epoch:,} training steps per epoch; "
        f"{run.steps:,} steps are {run.epochs:.3g} epochs."
    )


def stories_data(data: StoriesData) -> RenderableType:
    """Show a row for each subtask."""
    columns: Columns = {"subtask": "left", **dict.fromkeys(_STORY_COLUMNS, "right")}
    rows = [_subtask_row(subtask) for subtask in data.subtasks]
    table = responsive_table(Text(atomic_io.readable(data.path)), columns, [rows])
    problems = {subtask.problem for subtask in data.subtasks if subtask.problem}
    return Group(
        table,
        Text(
            "Questions per split; longest: statements before a question; overlap: largest fraction "
            "of the questions of a split that occur with their story in an earlier one; steps: "
            f"training steps per epoch. Preset {atomic_io.readable(data.preset)} trains each "
            f"subtask for {data.steps:,} steps of {data.batch_size} questions."
        ),
        *(Text(f"rejected: {atomic_io.readable(problem)}", style="yellow") for problem in problems),
    )


def _subtask_row(subtask: SubtaskData) -> list[str]:
    name = f"{subtask.subtask} {subtask.name}"
    if subtask.splits is None:
        return [name, *[NOTHING] * len(_STORY_COLUMNS)]
    return [
        name,
        *(f"{getattr(subtask.splits, split).questions:,}" for split in _SPLITS),
        str(subtask.words),
        str(subtask.answers),
        str(subtask.longest_story),
        _share(subtask.majority),
        _share(_largest_overlap(subtask.splits)),
        f"{subtask.steps_per_epoch:,}",
    ]


def _largest_overlap(splits: StorySplits) -> float | None:
    shares = [*splits.validation.overlap.values(), *splits.test.overlap.values()]
    return max((share for share in shares if share is not None), default=None)


def _share(value: float | None) -> str:
    return NOTHING if value is None else formatting.value("accuracy", value)
