"""Memory layout of the vectors of all samples: columns or rows.

Formulas are written once, on the operations of a `Layout`. A layout stores vectors `[H]` of all
samples at one time step, and series and pages of vectors for all time steps:

| | vectors | series | pages |
|---|---|---|---|
| `COLUMNS` | `[H, B]` | `[H, T, B]` | `[T, H, B]` |
| `ROWS` | `[B, H]` | `[T, B, H]` | `[T, B, H]` |

Series are for products over all time steps at once; pages are faster to write and read. A scalar
per sample is a vector of size 1.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.tensor import Tensor


class Layout(abc.ABC):
    """Interface of a memory layout.

    Attributes:
        axis: Axis of the units, in vectors and in pages.
        inputs_first: Whether to compute the input projection for all time steps before the loop.
    """

    axis: ClassVar[int]
    inputs_first: ClassVar[bool]

    def total(self, x: Tensor) -> Tensor:
        """Return the sums over the units, as vectors of size 1."""
        return ops.sum(x, axis=self.axis, keepdims=True)

    def units(self, x: Tensor) -> int:
        """Return the size of vectors."""
        return x.shape[self.axis]

    @abc.abstractmethod
    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """Concatenate vectors, or series."""

    @abc.abstractmethod
    def part(self, x: Tensor, first: int | None, end: int | None) -> Tensor:
        """Return the units from `first` (inclusive) to `end` (exclusive)."""

    @abc.abstractmethod
    def vector(self, weight: Tensor) -> Tensor:
        """Return a weight `[H]` as a vector that broadcasts over the samples."""

    @abc.abstractmethod
    def spread(self, weight: Tensor, like: Tensor) -> Tensor:
        """Return a weight `[H]` as vectors, one copy for each sample of the series `like`."""

    @abc.abstractmethod
    def operator(self, kernel: Tensor) -> Tensor:
        """Return a kernel `[D, N]` in the orientation for `apply`."""

    @abc.abstractmethod
    def apply(self, operator: Tensor, x: Tensor) -> Tensor:
        """Return the product of vectors `[D]` with an `operator` of a kernel `[D, N]`."""

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
        """Convert a state `[B, H]` to vectors, or vectors to a state."""

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
        """Return a buffer for a series, with the time steps and samples of the series `like`."""

    @abc.abstractmethod
    def empty_pages(self, units: int, like: Tensor) -> Tensor:
        """Return a buffer for pages, with the time steps and samples of the series `like`."""

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
        """Return a series shifted by one time step: `initial`, then all but its last vectors."""

    @abc.abstractmethod
    def rows_of(self, *vectors: Tensor) -> Tensor:
        """Stack n vectors of each sample to `[B, n, H]`."""

    @abc.abstractmethod
    def from_rows(self, rows: Tensor) -> list[Tensor]:
        """Unstack `[B, n, H]` into n vectors."""

    def materialize(self, x: Tensor) -> Tensor:
        """Return vectors that XLA computes once, instead of recomputing them at every use."""
        return x
