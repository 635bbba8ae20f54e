"""Reading of YAML into nested dictionaries with the position of each value, and writing.

Values have the types of JSON: null, booleans, numbers, strings, lists and mappings with string
keys. So every value that is read can be written and read again. Tags of other types are errors.
Independent of the schema of a run.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rumcli import atomic_io
from rumcli.errors import ConfigError

KeyPath = tuple[str, ...]

_LARGEST = 2**20  # bytes in a file
_MOST_NODES = 20_000  # in a document; each use of an alias counts in full
_MOST_DIGITS = 400


# PyYAML reads `1e-3` as a string, as in YAML 1.1; YAML 1.2 and most other parsers read a number.
_EXPONENT = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")
_FLOAT = "tag:yaml.org,2002:float"
_TEXT = "tag:yaml.org,2002:str"
_INT = "tag:yaml.org,2002:int"
_NOT_IN_JSON = tuple(
    f"tag:yaml.org,2002:{kind}" for kind in ("binary", "timestamp", "omap", "pairs", "set")
)


class _Loader(yaml.SafeLoader):
    """YAML 1.1 with the types of JSON: a date is a string, `1e-3` is a number."""

    # PyYAML's pattern, extended by lone surrogates: a path may have bytes that are invalid Unicode.
    # Final only in the stubs, which need not be installed.
    NON_PRINTABLE = re.compile(  # type: ignore[misc, unused-ignore]
        "[^\t\n\r\x20-\x7e\x85\xa0-\ufffd\U00010000-\U0010ffff]"
    )


class _Dumper(yaml.SafeDumper):
    """Dumper that quotes every string that `_Loader` or YAML 1.1 would read as another type."""

    def ignore_aliases(self, data: Any) -> bool:
        """Disable aliases: a value that occurs twice is written in full."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # Unicode line breaks survive only as escapes, which need double quotes.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar(_TEXT, text, style=style)


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    # Python limits conversions between integers and decimals to thousands of digits, but not those
    # from other bases.
    if len(node.value.lstrip("+-")) <= _MOST_DIGITS:
        number = loader.construct_yaml_int(node)
        if abs(number) < 10**_MOST_DIGITS:  # hexadecimal digits give more decimal ones
            return number
    problem = "a number of too many digits"
    raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _number(loader: _Loader, node: yaml.ScalarNode) -> float | str:
    # A number that overflows, such as `12e4567`, is a string; infinity is written as `.inf`.
    number = loader.construct_yaml_float(node)
    return node.value if math.isinf(number) and "inf" not in node.value.lower() else number


def _no_such_type(loader: _Loader, node: yaml.Node) -> Any:
    kind = node.tag.rpartition(":")[2]
    problem = f"the tag !!{kind} is not supported; expected null, a boolean, a number, text, a list"
    raise yaml.constructor.ConstructorError(None, None, f"{problem} or a mapping", node.start_mark)


_Dumper.add_representer(str, _text)
_Loader.add_constructor(_INT, _whole_number)
_Loader.add_constructor(_FLOAT, _number)
for _tag in _NOT_IN_JSON:
    _Loader.add_constructor(_tag, _no_such_type)
for _kind in (_Loader, _Dumper):
    _kind.add_implicit_resolver(_FLOAT, _EXPONENT, list("-+.0123456789"))
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_IN_JSON]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Document:
    """A parsed file.

    Attributes:
        source: Name of the file in error messages.
        values: Values by key.
        positions: Line and column, from 1, of each value by key path.
        text: Text of the file.
    """

    source: str
    values: dict[str, Any]
    positions: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    text: str = ""

    def locate(self, path: KeyPath) -> str:
        """Return the position of the value at `path`, or of its nearest parent, for a message."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.positions:
                line, column = self.positions[path[:length]]
                return f"{self.source}, line {line}, column {column}"
        return self.source

    def prefix(self, path: KeyPath) -> str:
        """Return the start of a message about the value at `path`: its place and its key."""
        place = f"{self.locate(path)}: "
        return f"{place}{'.'.join(path)}: " if path else place

    def may_be_null(self, path: KeyPath) -> bool:
        """Return whether null can be given at `path`, if the schema allows it."""
        return True


def parse_scalar(text: str) -> Any:
    """Parse one YAML value: `3`, `1e-3`, `true`, `null`, `[1, 2]`, `text`.

    Args:
        text: YAML of the value.

    Raises:
        yaml.YAMLError: If the text is not YAML.
        ConfigError: If its aliases expand to too many values, or it merges mappings.
    """
    loader = _Loader(text)
    node = loader.get_single_node()
    if node is None:
        return None
    _measure(node, "the value")
    return _construct(loader, node)


def dump(value: Any, one_line: bool = False) -> str:
    """Return a value as YAML that `parse`, or `parse_scalar` for one line, reads back unchanged.

    Args:
        value: None, a boolean, a number, a string, or lists and mappings of such values.
        one_line: Whether to write a single line, as for a command-line option.

    Returns:
        YAML text, which ends with a newline unless `one_line` is set.

    Raises:
        yaml.YAMLError: If a value has another type.
    """
    # Without a width limit, because other parsers may read folded text differently.
    text = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=one_line,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
    )
    return text.removesuffix("\n").removesuffix("\n...") if one_line else text


def read(path: Path, regular_only: bool = False) -> Document:
    """Read a YAML file whose top level is a mapping.

    Args:
        path: File to read.
        regular_only: Whether to reject a path that is not a regular file, such as a pipe.

    Raises:
        ConfigError: If the file can't be read, exceeds 1 MiB, is not YAML, is not a mapping or has
            a duplicate key.
    """
    try:
        with atomic_io.open_regular(path) if regular_only else path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        text = content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text file in UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}") from error
    except ValueError as error:  # an invalid path, such as one with a null character
        raise ConfigError(f"can't read {path}: {error}") from error
    if len(content) > _LARGEST:
        raise ConfigError(f"{path} is larger than {_LARGEST // 2**20} MiB, the limit of a file")
    return parse(text, str(path))


def parse(text: str, source: str) -> Document:
    """Parse YAML text whose top level is a mapping.

    Args:
        text: YAML text.
        source: Name of the text in error messages.

    Raises:
        ConfigError: If it is not YAML, not a mapping, or has a duplicate key.
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
    except (yaml.YAMLError, ValueError) as error:  # ValueError: from a tag such as !!float x
        raise ConfigError(f"{source}: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{source}: nested too deeply") from error
    if not isinstance(values, dict):  # if a tag changes its type
        raise ConfigError(f"{source}{_at(node)}: expected a mapping of keys to values")
    return Document(source, values, document.positions, text)


def _measure(root: yaml.Node, source: str) -> None:
    """Check the number of values in a document with aliases expanded, without expanding them.

    Raises:
        ConfigError: If there are too many values, or a key is not a string. The merge key `<<` is
            one of these; it would multiply values too.
        RecursionError: If the document is nested too deeply, or contains itself.
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
        if not isinstance(key, yaml.ScalarNode) or key.tag != _TEXT:
            raise ConfigError(f"{source}{_at(key)}: expected a name as the key")
    return [child for pair in node.value for child in pair]


def _index(node: yaml.Node, path: KeyPath, document: Document) -> None:
    mark = node.start_mark
    document.positions[path] = (mark.line + 1, mark.column + 1)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        child = (*path, key.value)
        if child in document.positions:
            raise ConfigError(f"{document.source}{_at(key)}: duplicate key '{'.'.join(child)}'")
        _index(value, child, document)
        # An error message refers to the position of the key, not of its value.
        document.positions[child] = (key.start_mark.line + 1, key.start_mark.column + 1)


def _construct(loader: _Loader, node: yaml.Node) -> Any:
    try:
        return loader.construct_document(node)
    except (AttributeError, LookupError, TypeError, OverflowError) as error:
        # PyYAML does not check that a value matches a tag such as !!bool.
        raise yaml.YAMLError("a tag does not match its value") from error


def _at(node: yaml.Node) -> str:
    return f", line {node.start_mark.line + 1}, column {node.start_mark.column + 1}"
