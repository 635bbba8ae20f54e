"""Which runs a table has, in their order, and the command that makes each by itself."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rumcli import own_code, suggest
from rumcli.config import RunConfig, yaml_file
from rumcli.errors import ConfigError
from rumcli.reproduction import table as tables
from rumcli.reproduction.table import Cell, Table


@dataclass(frozen=True)
class Run:
    """One run of a table.

    Attributes:
        name: Of its folder.
        cell: Where in the table its figure belongs.
        part: Which of the runs of which a figure is the mean, from 0.
        seed: Its seed.
        settings: For those who list runs; all that matters is in the name.
    """

    name: str
    cell: Cell = field(compare=False, repr=False)
    part: int = field(compare=False)
    seed: int = field(compare=False)
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def budget_weight(self) -> float:
        """Its part of a budget relative to those of the other runs."""
        return self.cell.share

    @property
    def config(self) -> RunConfig:
        """What is run."""
        return self.cell.runs[self.part].model_copy(update={"seed": self.seed})

    def command(self, folder: Path) -> str:
        """Return what makes this run by itself.

        Args:
            folder: That of the table.
        """
        settings = {**self.cell.settings[self.part], "seed": self.seed}
        preset = [] if self.cell.preset is None else ["--preset", self.cell.preset]
        words = ["rum", "train", self.config.task.name, *preset]
        words += [
            f"--set={key}={yaml_file.dump(value, one_line=True)}" for key, value in settings.items()
        ]
        sections = (self.config.task, self.config.cell)
        trust = [own_code.TRUST] if any(hasattr(one, "factory") for one in sections) else []
        return shlex.join([*words, *trust, "--out", str(folder / self.name)])


def runs(
    table: Table, seeds: int, only: Sequence[str] = (), conditions: Sequence[str] = ()
) -> list[Run]:
    """Return the runs of a table: first those of seed 1, so that a part of them is a whole table.

    Args:
        table: The table.
        seeds: How many of them.
        only: Labels of rows, or what they are called in the names of folders; empty: all rows,
            but for what is not run unless it is asked for.
        conditions: Labels of conditions, as of rows; empty: all.

    Raises:
        ConfigError: If there is no such row or condition, or nothing is to be run.
    """
    chosen = {_labelled("--only", "row", label, table.rows) for label in only}
    under = {
        _labelled("--condition", "condition", label, table.description.conditions)
        for label in conditions
    }
    cells = [
        cell
        for cell in table.cells
        if (cell.row in chosen if chosen else cell.not_run is None)
        and (not under or cell.condition in under)
    ]
    if not cells:
        raise ConfigError(f"table '{table.name}': no row is run by itself; choose some by --only")
    count = seeds * sum(len(cell.runs) for cell in cells)
    if count > tables.MOST_RUNS:
        raise ConfigError(f"--seeds {seeds}: {count:,} runs are more than {tables.MOST_RUNS:,}")
    return [
        Run(_name(table, cell, part, seed), cell, part, seed)
        for seed in range(1, seeds + 1)
        for cell in cells
        for part in range(len(cell.runs))
    ]


def all_runs(table: Table, cell: Cell, seeds: int) -> list[Run]:
    """Return the runs that a figure of the table is made of."""
    return [
        Run(_name(table, cell, part, seed), cell, part, seed)
        for seed in range(1, seeds + 1)
        for part in range(len(cell.runs))
    ]


def _labelled(option: str, kind: str, label: str, known: Collection[str]) -> str:
    """Return the label that is meant, as it is or as in the names of folders."""
    for one in known:
        if label == one or tables.slug(label) == tables.slug(one):
            return one
    if not known:
        raise ConfigError(
            f"{option} {suggest.clipped(label)}: the table has no {suggest.plural(kind)}"
        )
    # Labels have commas and Greek letters; what their folders are called can be listed and typed.
    unknown = suggest.unknown(kind, tables.slug(label) or label, map(tables.slug, known))
    raise ConfigError(f"{option} {suggest.clipped(label)}: {unknown}")


def _name(table: Table, cell: Cell, part: int, seed: int) -> str:
    words = [cell.slug]
    if table.description.mean is not None:
        key = table.description.mean.over.rpartition(".")[2]
        words.append(f"{tables.slug(key)}-{part + 1}")
    return "-".join([*words, f"seed-{seed}"])
