"""Export of generated examples to files, in chunks.

Formats: npz has the arrays `inputs` and `targets`; jsonl has one object per line; txt has one
example per line, with a tab between inputs and targets.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Literal

import numpy as np

from rumcli.data.splits import SplitName
from rumcli.tasks import registry
from rumcli.tasks.task_config import TaskSection

Format = Literal["npz", "jsonl", "txt"]
FORMATS: tuple[Format, ...] = ("npz", "jsonl", "txt")
_NAMES = ("inputs", "targets")
_CHUNK = 1024


@dataclass(frozen=True)
class Examples:
    """The first `count` examples of a split."""

    task: TaskSection
    seed: int
    split: SplitName
    count: int

    def chunks(self) -> Iterator[dict[str, np.ndarray]]:
        """Yield the examples as arrays by name, in chunks of constant size."""
        for start in range(0, self.count, _CHUNK):
            size = min(_CHUNK, self.count - start)
            arrays = registry.generate(self.task, self.seed, self.split, start, size)
            yield dict(zip(_NAMES, arrays, strict=True))


def write(examples: Examples, name: str, file: IO[bytes]) -> None:
    """Write examples to an open file.

    Args:
        examples: Examples to write.
        name: Format, one of `FORMATS`.
        file: Binary file object; seekable for npz.
    """
    if name == "npz":
        _write_npz(examples, file)
        return
    format_line = _json_line if name == "jsonl" else _text_line
    for chunk in examples.chunks():
        rows = zip(*(array.tolist() for array in chunk.values()), strict=True)
        file.write("".join(map(format_line, rows)).encode())


def _write_npz(examples: Examples, file: IO[bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in _NAMES:  # entries are sequential, so each one regenerates the examples
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                for number, chunk in enumerate(examples.chunks()):
                    array = np.ascontiguousarray(chunk[name])
                    if number == 0:
                        _write_header(entry, array, examples.count)
                    entry.write(array.tobytes())


def _write_header(entry: IO[bytes], array: np.ndarray, count: int) -> None:
    header = np.lib.format.header_data_from_array_1_0(array)
    header["shape"] = (count, *array.shape[1:])
    np.lib.format.write_array_header_1_0(entry, header)


def _json_line(row: tuple) -> str:
    return json.dumps(dict(zip(_NAMES, row, strict=True))) + "\n"


def _text_line(row: tuple) -> str:
    # Vectors are written one after the other.
    columns = [" ".join(map(str, np.ravel(np.array(part, dtype=object)))) for part in row]
    return "\t".join(columns) + "\n"
