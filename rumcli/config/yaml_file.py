"""Read YAML into nested dictionaries that remember where each value stood.

Safe: tags that would make Python objects are errors. No knowledge of a run's keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rumcli import files
from rumcli.errors import ConfigError

KeyPath = tuple[str, ...]

_LARGEST = 2**20  # bytes of a file
_MOST_NODES = 20_000  # of a document; what an alias stands for counts again each time
_MOST_DIGITS = 400
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    """YAML 1.1, with numbers such as `1e-3` read as YAML 1.2 and everybody else read them."""


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    # Python refuses to read decimals of thousands of digits, but reads others, and then fails to
    # write them.
    if len(node.value) > _MOST_DIGITS:
        problem = "a number of too many digits"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    return loader.construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


@dataclass(frozen=True)
class Document:
    """A parsed file: its values, line and column (from 1) of each value, and its text."""

    source: str
    values: dict[str, Any]
    positions: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    text: str = ""

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
        ConfigError: If it grows too large, or merges mappings.
    """
    loader = _Loader(text)
    node = loader.get_single_node()
    if node is None:
        return None
    _measure(node, "the value")
    return _construct(loader, node)


def read(path: Path, of_a_folder: bool = False) -> Document:
    """Read a YAML file whose top level is a mapping.

    Args:
        path: The file.
        of_a_folder: Whether it was found in a folder, so that it has to be a regular file; a path
            that was typed may be of a pipe.

    Raises:
        ConfigError: If it can't be read, has more than 1 MiB, is not YAML, is not a mapping or has
            a key twice.
    """
    try:
        with files.open_regular(path) if of_a_folder else path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text file in UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}") from error
    except ValueError as error:  # of a path that no system has
        raise ConfigError(f"can't read {path}: {error}") from error
    if len(content) > _LARGEST:
        raise ConfigError(f"{path} has more than {_LARGEST // 2**20} MiB; is it a configuration?")
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
        _measure(node, source)
        _index(node, (), document)
        values = _construct(loader, node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{source}{where}: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2001-99-99
        raise ConfigError(f"{source}: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{source}: nested too deeply") from error
    if not isinstance(values, dict):  # such as a !!set, which looks like one
        raise ConfigError(f"{source}{_at(node)}: expected a mapping of keys to values")
    return Document(source, values, document.positions, text)


def _measure(root: yaml.Node, source: str) -> None:
    """Count what a document is once its aliases are replaced, without doing that.

    Raises:
        ConfigError: If it is too much; or if mappings are merged, which would multiply them too.
        RecursionError: If it is nested too deeply, as what contains itself is.
    """
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = 1 + sum(map(size, _children(node, source)))
        return sizes[id(node)]

    if size(root) > _MOST_NODES:
        raise ConfigError(f"{source} has more than {_MOST_NODES:,} values, aliases counted in full")


def _children(node: yaml.Node, source: str) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return node.value
    if not isinstance(node, yaml.MappingNode):
        return []
    for key, _ in node.value:
        if key.tag == _MERGE:
            raise ConfigError(f"{source}{_at(key)}: expected a name as the key")
    return [child for pair in node.value for child in pair]


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


def _construct(loader: _Loader, node: yaml.Node) -> Any:
    try:
        return loader.construct_document(node)
    except (AttributeError, LookupError, TypeError, OverflowError) as error:
        # PyYAML does not look whether a value is what a tag such as !!bool says of it.
        raise yaml.YAMLError("a tag does not fit its value") from error


def _at(node: yaml.Node) -> str:
    return f", line {node.start_mark.line + 1}, column {node.start_mark.column + 1}"
