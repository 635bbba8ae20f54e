"""How the vectors of all samples lie in memory: as columns or as rows.

Formulas ask a layout for whatever depends on it, so that there is one text of them. A layout holds
vectors `[H]` of all samples at one time step, and series and pages of them for all time steps:

| | vectors | series | pages |
|---|---|---|---|
| `COLUMNS` | `[H, B]` | `[H, T, B]` | `[T, H, B]` |
| `ROWS` | `[B, H]` | `[T, B, H]` | `[T, B, H]` |

Products over all time steps at once are made of series; pages are faster to write and read.
Numbers, one for each sample, are vectors of size 1.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

from rumcli.cells.fused.backend_ops import ops

Tensor = Any


class Layout(abc.ABC):
    """What the formulas need to know of a layout.

    Attributes:
        axis: The axis of the units, in vectors and in pages.
        inputs_first: Whether the products of a first layer's kernels with the inputs are made for
            all time steps before the loop.
    """

    axis: ClassVar[int]
    inputs_first: ClassVar[bool]

    def total(self, x: Tensor) -> Tensor:
        """Return the sums over the units."""
        return ops.sum(x, axis=self.axis, keepdims=True)

    def units(self, x: Tensor) -> int:
        """Return the size of vectors."""
        return x.shape[self.axis]

    @abc.abstractmethod
    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """Concatenate vectors, or series."""

    @abc.abstractmethod
    def part(self, x: Tensor, first: int | None, end: int | None) -> Tensor:
        """Return the units from `first` to before `end`."""

    @abc.abstractmethod
    def vector(self, weight: Tensor) -> Tensor:
        """Return a weight `[H]` as a vector that all samples share."""

    @abc.abstractmethod
    def spread(self, weight: Tensor, like: Tensor) -> Tensor:
        """Return a weight `[H]` as a vector of each sample of a series."""

    @abc.abstractmethod
    def operator(self, kernel: Tensor) -> Tensor:
        """Return a kernel `[D, N]` as `apply` takes it."""

    @abc.abstractmethod
    def apply(self, operator: Tensor, x: Tensor) -> Tensor:
        """Return the product of vectors `[D]` with a kernel `[D, N]`."""

    @abc.abstractmethod
    def apply_parts(self, operators: Sequence[Tensor], parts: Sequence[Tensor]) -> Tensor:
        """Return the sum of the products of each part with its own kernel."""

    @abc.abstractmethod
    def apply_series(self, kernel: Tensor, series: Tensor) -> Tensor:
        """Return the product of a series with a kernel `[D, N]`."""

    @abc.abstractmethod
    def add_to_series(self, series: Tensor, weight: Tensor) -> Tensor:
        """Return a series plus a weight `[H]`."""

    @abc.abstractmethod
    def gram(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the product `[D, N]` of two series over all time steps and samples."""

    @abc.abstractmethod
    def sum_series(self, series: Tensor) -> Tensor:
        """Return the sums `[H]` of a series over all time steps and samples."""

    @abc.abstractmethod
    def sum_samples(self, x: Tensor) -> Tensor:
        """Return the sums `[H]` of vectors over the samples."""

    @abc.abstractmethod
    def vectors_of(self, state: Tensor) -> Tensor:
        """Return a state `[B, H]` as vectors; also the other way round."""

    @abc.abstractmethod
    def series_of(self, sequence: Tensor) -> Tensor:
        """Return a sequence `[B, T, H]` as a series."""

    @abc.abstractmethod
    def pages_of(self, sequence: Tensor) -> Tensor:
        """Return a sequence `[B, T, H]` as pages."""

    @abc.abstractmethod
    def sequence_of(self, series: Tensor) -> Tensor:
        """Return a series as a sequence `[B, T, H]`."""

    @abc.abstractmethod
    def series_to_pages(self, series: Tensor) -> Tensor:
        """Return a series as pages."""

    @abc.abstractmethod
    def steps(self, series: Tensor) -> Any:
        """Return the number of time steps of a series."""

    @abc.abstractmethod
    def samples(self, series: Tensor) -> Any:
        """Return the number of samples of a series."""

    @abc.abstractmethod
    def empty_series(self, units: int, like: Tensor) -> Tensor:
        """Return a series to be written, for the time steps and samples of another."""

    @abc.abstractmethod
    def empty_pages(self, units: int, like: Tensor) -> Tensor:
        """Return pages to be written, for the time steps and samples of a series."""

    @abc.abstractmethod
    def read(self, series: Tensor, time: Tensor) -> Tensor:
        """Return the vectors of one time step of a series."""

    @abc.abstractmethod
    def read_page(self, pages: Tensor, time: Tensor) -> Tensor:
        """Return the vectors of one time step of pages."""

    @abc.abstractmethod
    def write(self, series: Tensor, time: Tensor, parts: Sequence[Tensor]) -> Tensor:
        """Return a series with the vectors of one time step replaced by `parts`, joined."""

    @abc.abstractmethod
    def write_page(self, pages: Tensor, time: Tensor, vectors: Tensor) -> Tensor:
        """Return pages with the vectors of one time step replaced."""

    @abc.abstractmethod
    def before(self, initial: Tensor, series: Tensor) -> Tensor:
        """Return the series that is a time step later and begins with `initial`."""

    @abc.abstractmethod
    def rows_of(self, *vectors: Tensor) -> Tensor:
        """Return n vectors of each sample as `[B, n, H]`."""

    @abc.abstractmethod
    def from_rows(self, rows: Tensor) -> list[Tensor]:
        """Return `[B, n, H]` as n vectors."""

    def materialize(self, x: Tensor) -> Tensor:
        """Have XLA write vectors down once, instead of making them anew wherever they are used."""
        return x
