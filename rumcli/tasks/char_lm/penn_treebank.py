"""Penn Treebank in Mikolov's preprocessing: identification and loading of its three files.

The package contains only the sizes and digests of the text, not the text itself.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rumcli.data import archives
from rumcli.errors import ConfigError

MISSING_SOURCE = (
    "--source is missing: the directory, archive or URL of the Penn Treebank text. The text is not "
    "part of this package: it derives from Treebank-3, which is under copyright and licensed by "
    "the Linguistic Data Consortium (https://catalog.ldc.upenn.edu/LDC99T42); make sure that you "
    "are allowed to use it. Tomas Mikolov published his preprocessed version as "
    "http://www.fit.vutbr.cz/~imikolov/rnnlm/simple-examples.tgz. "
    "With that file: rum gen-data ptb --source simple-examples.tgz"
)
_OTHER_TEXT = "ptb.char."


@dataclass(frozen=True)
class TextFile:
    """A file identified by name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str

    def fault(self, content: bytes) -> str | None:
        """Describe how a content differs from the expected file; None if it matches.

        Args:
            content: Whole file, or its first `size` + 1 bytes.
        """
        if len(content) != self.size:
            more = "more than " if len(content) > self.size else ""
            size = f"{min(len(content), self.size):,}"
            return f"it has {more}{size} bytes, expected {self.size:,}"
        digest = hashlib.sha256(content).hexdigest()
        return None if digest == self.sha256 else f"its SHA-256 is {digest}, expected {self.sha256}"

    def is_at(self, path: Path) -> bool:
        """Return whether the file at a path has exactly this content.

        Args:
            path: Path of the file to check.

        Raises:
            OSError: If the file is unreadable.
        """
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return self.fault(file.read(self.size + 1)) is None


FILES = (
    TextFile(
        "ptb.train.txt",
        5_101_618,
        "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
    ),
    TextFile(
        "ptb.valid.txt",
        399_782,
        "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
    ),
    TextFile(
        "ptb.test.txt",
        449_945,
        "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
    ),
)


def read(source: str, files: Sequence[TextFile]) -> dict[str, bytes]:
    """Read files by name, plain or `.gz`, and verify them.

    Args:
        source: Directory or archive, as for `archives.entries`; the http or https URL of an
            archive; or a URL that ends in `/`, to which the file names are appended.
        files: Files to read, such as `FILES`.

    Returns:
        The verified content of each file, by name.

    Raises:
        ConfigError: If a file is missing or has other content, or the source is unreadable.
    """
    if "://" not in source:
        return _search(source, archives.entries(Path(source)), files)
    with tempfile.TemporaryDirectory(prefix="rum-") as directory:
        if source.endswith("/"):
            return _search(source, _entries_at_url(source, Path(directory), files), files)
        archive = Path(directory) / "archive"
        archives.download(source, archive)
        return _search(source, archives.entries(archive, source), files)


def _entries_at_url(
    base: str, directory: Path, files: Sequence[TextFile]
) -> Generator[archives.Entry, None, None]:
    for file in files:
        for name in (file.name, f"{file.name}.gz"):
            path = directory / name
            try:
                archives.download(base + name, path)
            except archives.NotFoundError:
                continue
            yield archives.Entry(name, base + name, functools.partial(archives.open_file, path))
            break


def _search(
    source: str, entries: Generator[archives.Entry, None, None], files: Sequence[TextFile]
) -> dict[str, bytes]:
    """Return, for each file, the first entry with its name and content."""
    wanted = {file.name: file for file in files}
    contents: dict[str, bytes] = {}
    faults: dict[str, str] = {}
    other_text = False
    with contextlib.closing(entries):
        for entry in entries:
            name = entry.name.removesuffix(".gz")
            other_text |= name.startswith(_OTHER_TEXT)
            if name not in wanted or name in contents:
                continue
            content = entry.read(wanted[name].size + 1)
            fault = wanted[name].fault(content)
            if fault:
                faults.setdefault(name, f"{entry.location} is not the expected {name}: {fault}")
                continue
            contents[name] = content
            if len(contents) == len(wanted):
                return {file.name: contents[file.name] for file in files}
    missing = [name for name in wanted if name not in contents]
    named = [faults[name] for name in missing if name in faults]
    message = named[0] if named else f"{source} has no {', '.join(missing)}"
    if other_text:
        message += f"; {_OTHER_TEXT}* has a space after each character and _ for a space"
    raise ConfigError(message)
