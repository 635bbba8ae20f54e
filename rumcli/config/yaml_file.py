"""Read YAML into nested dictionaries that remember where each value stood.

Safe: tags that would make Python objects are errors. No knowledge of a run's keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rumcli.errors import ConfigError

KeyPath = tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """YAML 1.1, with numbers such as `1e-3` read as YAML 1.2 and everybody else read them."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


@dataclass(frozen=True)
class Document:
    """A parsed file: its values, and line and column (from 1) of each value."""

    source: str
    values: dict[str, Any]
    positions: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)

    def locate(self, path: KeyPath) -> str:
        """Say where the value at `path`, or else its nearest parent, stands."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.positions:
                line, column = self.positions[path[:length]]
                return f"{self.source}, line {line}, column {column}"
        return self.source


def parse_scalar(text: str) -> Any:
    """Read one value as a YAML file would: `3`, `1e-3`, `true`, `null`, `[1, 2]`, `text`.

    Raises:
        yaml.YAMLError: If the text is not YAML.
    """
    return yaml.load(text, Loader=_Loader)  # a SafeLoader


def read(path: Path) -> Document:
    """Read a YAML file whose top level is a mapping.

    Args:
        path: The file.

    Raises:
        ConfigError: If it can't be read, is not YAML, is not a mapping or has a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text file in UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}") from error
    return parse(text, str(path))


def parse(text: str, source: str) -> Document:
    """Read YAML text whose top level is a mapping.

    Args:
        text: The YAML.
        source: Its name in error messages.

    Raises:
        ConfigError: If it is not YAML, not a mapping, or has a key twice.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        document = Document(source, {})
        if node is None:
            raise ConfigError(f"{source} is empty; expected a mapping such as 'task: {{...}}'")
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{source}{_at(node)}: expected a mapping of keys to values")
        _index(node, (), document)
        values = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{source}{where}: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2001-99-99
        raise ConfigError(f"{source}: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{source}: nested too deeply") from error
    return Document(source, values, document.positions)


def _index(node: yaml.Node, path: KeyPath, document: Document) -> None:
    mark = node.start_mark
    document.positions[path] = (mark.line + 1, mark.column + 1)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise ConfigError(f"{document.source}{_at(key)}: expected a name as the key")
        child = (*path, key.value)
        if child in document.positions:
            raise ConfigError(f"{document.source}{_at(key)}: '{'.'.join(child)}' is there twice")
        _index(value, child, document)
        # A wrong key is better pointed at than its value.
        document.positions[child] = (key.start_mark.line + 1, key.start_mark.column + 1)


def _at(node: yaml.Node) -> str:
    return f", line {node.start_mark.line + 1}, column {node.start_mark.column + 1}"
