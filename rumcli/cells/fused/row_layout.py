"""Layout with samples as rows: neighboring threads of an accelerator sum a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rumcli.cells.fused.backend_ops import ops
from rumcli.cells.fused.layout import Layout
from rumcli.cells.tensor import Tensor


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
