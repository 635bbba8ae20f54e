"""Memory layout of the vectors of all samples: columns or rows.

Formulas are written once, on the operations of a `Layout`. A layout stores vectors `[H]` of all
samples at one time step, and series and pages of vectors for all time steps:

| | vectors | series | pages |
|---|---|---|---|
| `COLUMNS` | `[H, B]` | `[H, T, B]` | `[T, H, B]` |
| `ROWS` | `[B, H]` | `[T, B, H]` | `[T, B, H]` |

Series are for products over all time steps at once; pages are faster to write and read. A scalar
per sample is a vector of size 1. With samples as columns, sums over the units vectorize over the
samples; with samples as rows, neighboring threads of an accelerator sum a row.
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


class _Columns(Layout):
    """Vectors `[H, B]`, series `[H, T, B]` and pages `[T, H, B]`."""

    axis = -2
    # Reading one more array at each step would take longer.
    inputs_first = False

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        return ops.concat(parts, axis=0)

    def part(self, x: Tensor, first: int | None, end: int | None) -> Tensor:
        return x[first:end]

    def vector(self, weight: Tensor) -> Tensor:
        return weight[:, None]

    def spread(self, weight: Tensor, like: Tensor) -> Tensor:
        return ops.broadcast_to(weight[:, None], (weight.shape[0], self.samples(like)))

    def operator(self, kernel: Tensor) -> Tensor:
        # Transposed once, rather than at every step of the loop.
        return ops.transpose(kernel)

    def apply(self, operator: Tensor, x: Tensor) -> Tensor:
        return ops.matmul(operator, x)

    def apply_parts(self, operators: Sequence[Tensor], parts: Sequence[Tensor]) -> Tensor:
        # Concatenating the parts first would cost more than it saves.
        first, *rest = [self.apply(*pair) for pair in zip(operators, parts, strict=True)]
        for product in rest:
            first += product
        return first

    def apply_series(self, kernel: Tensor, series: Tensor) -> Tensor:
        product = ops.matmul(ops.transpose(kernel), self._flat(series))
        return ops.reshape(product, (kernel.shape[1], self.steps(series), self.samples(series)))

    def add_to_series(self, series: Tensor, weight: Tensor) -> Tensor:
        return series + weight[:, None, None]

    def gram(self, left: Tensor, right: Tensor) -> Tensor:
        return ops.matmul(self._flat(left), self._flat(right), transpose_b=True)

    def sum_series(self, series: Tensor) -> Tensor:
        return ops.sum(self._flat(series), axis=1)

    def sum_samples(self, x: Tensor) -> Tensor:
        return ops.sum(x, axis=1)

    def vectors_of(self, state: Tensor) -> Tensor:
        return ops.transpose(state)

    def series_of(self, sequence: Tensor) -> Tensor:
        return ops.transpose(sequence, (2, 1, 0))

    def pages_of(self, sequence: Tensor) -> Tensor:
        return ops.transpose(sequence, (1, 2, 0))

    def sequence_of(self, series: Tensor) -> Tensor:
        return ops.transpose(series, (2, 1, 0))

    def series_to_pages(self, series: Tensor) -> Tensor:
        return ops.transpose(series, (1, 0, 2))

    def steps(self, series: Tensor) -> Any:
        return ops.shape(series)[1]

    def samples(self, series: Tensor) -> Any:
        return ops.shape(series)[2]

    def empty_series(self, units: int, like: Tensor) -> Tensor:
        return ops.zeros((units, self.steps(like), self.samples(like)), like.dtype)

    def empty_pages(self, units: int, like: Tensor) -> Tensor:
        return ops.zeros((self.steps(like), units, self.samples(like)), like.dtype)

    def read(self, series: Tensor, time: Tensor) -> Tensor:
        sizes = ops.shape(series)
        step = ops.dynamic_slice(series, [0, time, 0], [sizes[0], 1, sizes[2]])
        return ops.reshape(step, (series.shape[0], sizes[2]))

    def read_page(self, pages: Tensor, time: Tensor) -> Tensor:
        sizes = ops.shape(pages)
        step = ops.dynamic_slice(pages, [time, 0, 0], [1, sizes[1], sizes[2]])
        return ops.reshape(step, (pages.shape[1], sizes[2]))

    def write(self, series: Tensor, time: Tensor, parts: Sequence[Tensor]) -> Tensor:
        first = 0
        for part in parts:
            series = ops.dynamic_update_slice(series, part[:, None], [first, time, 0])
            first += part.shape[0]
        return series

    def write_page(self, pages: Tensor, time: Tensor, vectors: Tensor) -> Tensor:
        return ops.dynamic_update_slice(pages, vectors[None], [time, 0, 0])

    def before(self, initial: Tensor, series: Tensor) -> Tensor:
        return ops.concat([initial[:, None], series[:, :-1]], axis=1)

    def rows_of(self, *vectors: Tensor) -> Tensor:
        return ops.transpose(ops.stack(vectors), (2, 0, 1))

    def from_rows(self, rows: Tensor) -> list[Tensor]:
        return ops.unstack(ops.transpose(rows, (1, 2, 0)), num=rows.shape[1])

    def materialize(self, x: Tensor) -> Tensor:
        # XLA fuses nothing across a matrix product, here with the identity. Fused, a kernel that
        # reads single rows of a buffer is not vectorized and takes three times as long.
        return ops.matmul(ops.eye(x.shape[0], dtype=x.dtype), x)

    @staticmethod
    def _flat(series: Tensor) -> Tensor:
        return ops.reshape(series, (series.shape[0], -1))


COLUMNS: Layout = _Columns()


class _Rows(Layout):
    """Vectors `[B, H]`, and series and pages `[T, B, H]`."""

    axis = -1
    inputs_first = True

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        return ops.concat(parts, axis=-1)

    def part(self, x: Tensor, first: int | None, end: int | None) -> Tensor:
        return x[..., first:end]

    def vector(self, weight: Tensor) -> Tensor:
        return weight

    def spread(self, weight: Tensor, like: Tensor) -> Tensor:
        return ops.broadcast_to(weight, (self.samples(like), weight.shape[0]))

    def operator(self, kernel: Tensor) -> Tensor:
        return kernel

    def apply(self, operator: Tensor, x: Tensor) -> Tensor:
        return ops.matmul(x, operator)

    def apply_parts(self, operators: Sequence[Tensor], parts: Sequence[Tensor]) -> Tensor:
        return ops.matmul(self.join(parts), ops.concat(operators, axis=0))

    def apply_series(self, kernel: Tensor, series: Tensor) -> Tensor:
        return ops.matmul(series, kernel)

    def add_to_series(self, series: Tensor, weight: Tensor) -> Tensor:
        return series + weight

    def gram(self, left: Tensor, right: Tensor) -> Tensor:
        return ops.tensordot(left, right, [[0, 1], [0, 1]])

    def sum_series(self, series: Tensor) -> Tensor:
        return ops.sum(series, axis=(0, 1))

    def sum_samples(self, x: Tensor) -> Tensor:
        return ops.sum(x, axis=0)

    def vectors_of(self, state: Tensor) -> Tensor:
        return state

    def series_of(self, sequence: Tensor) -> Tensor:
        return ops.transpose(sequence, (1, 0, 2))

    def pages_of(self, sequence: Tensor) -> Tensor:
        return ops.transpose(sequence, (1, 0, 2))

    def sequence_of(self, series: Tensor) -> Tensor:
        return ops.transpose(series, (1, 0, 2))

    def series_to_pages(self, series: Tensor) -> Tensor:
        return series

    def steps(self, series: Tensor) -> Any:
        return ops.shape(series)[0]

    def samples(self, series: Tensor) -> Any:
        return ops.shape(series)[1]

    def empty_series(self, units: int, like: Tensor) -> Tensor:
        return ops.zeros((self.steps(like), self.samples(like), units), like.dtype)

    def empty_pages(self, units: int, like: Tensor) -> Tensor:
        return self.empty_series(units, like)

    def read(self, series: Tensor, time: Tensor) -> Tensor:
        sizes = ops.shape(series)
        step = ops.dynamic_slice(series, [time, 0, 0], [1, sizes[1], sizes[2]])
        return ops.reshape(step, (sizes[1], series.shape[2]))

    def read_page(self, pages: Tensor, time: Tensor) -> Tensor:
        return self.read(pages, time)

    def write(self, series: Tensor, time: Tensor, parts: Sequence[Tensor]) -> Tensor:
        return self.write_page(series, time, self.join(parts) if len(parts) > 1 else parts[0])

    def write_page(self, pages: Tensor, time: Tensor, vectors: Tensor) -> Tensor:
        return ops.dynamic_update_slice(pages, vectors[None], [time, 0, 0])

    def before(self, initial: Tensor, series: Tensor) -> Tensor:
        return ops.concat([initial[None], series[:-1]], axis=0)

    def rows_of(self, *vectors: Tensor) -> Tensor:
        return ops.stack(vectors, axis=1)

    def from_rows(self, rows: Tensor) -> list[Tensor]:
        return ops.unstack(rows, num=rows.shape[1], axis=1)


ROWS: Layout = _Rows()
