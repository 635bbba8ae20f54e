"""Layout with samples as columns: sums over the units vectorize over the samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.layout import Layout
from rumcli.cells.tensor import Tensor


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
