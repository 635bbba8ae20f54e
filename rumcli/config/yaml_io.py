"""Read YAML into nested dictionaries that remember where each value stood, and write it.

A value is null, a boolean, a number, text, a list, or a mapping with text as keys: the types that
JSON has, so that everything that is read can be written and read again. Tags of other types are
errors. No knowledge of a run's keys.
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

_LARGEST = 2**20  # bytes of a file
_MOST_NODES = 20_000  # of a document; what an alias stands for counts again each time
_MOST_DIGITS = 400


# PyYAML reads `1e-3` as text, as YAML 1.1 has it; YAML 1.2 and most other programs read a number.
_EXPONENT = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$")
_FLOAT = "tag:yaml.org,2002:float"
_TEXT = "tag:yaml.org,2002:str"
_INT = "tag:yaml.org,2002:int"
_NOT_IN_JSON = tuple(
    f"tag:yaml.org,2002:{kind}" for kind in ("binary", "timestamp", "omap", "pairs", "set")
)


class _Loader(yaml.SafeLoader):
    """YAML 1.1 with the types of JSON: a date is text, `1e-3` is a number."""

    # As PyYAML has it, and with lone surrogates: bytes of a typed path that are not valid Unicode.
    NON_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ufffd\U00010000-\U0010ffff]")


class _Dumper(yaml.SafeDumper):
    """Quotes all text that `_Loader`, or a plain YAML 1.1 reader, would read as something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value that occurs twice in full: anchors are for documents typed by hand."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # Line breaks, of which Unicode has five, survive only as escapes, which need double quotes.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar(_TEXT, text, style=style)


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    # Python refuses to read decimals of thousands of digits, but reads others, and then fails to
    # write them.
    if len(node.value.lstrip("+-")) <= _MOST_DIGITS:
        number = loader.construct_yaml_int(node)
        if abs(number) < 10**_MOST_DIGITS:  # 400 hexadecimal digits are more in decimal
            return number
    problem = "a number of too many digits"
    raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _number(loader: _Loader, node: yaml.ScalarNode) -> float | str:
    # Beyond what a float holds, such as `12e4567`, it is text: infinity is typed as `.inf`.
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


def dump(value: Any, one_line: bool = False) -> str:
    """Write a value as YAML that `parse`, or `parse_scalar` for one line, reads back unchanged.

    Args:
        value: None, a boolean, a number, text, or lists and mappings of such values.
        one_line: Whether to write it in a single line, as for an option of a command.

    Returns:
        The YAML; it ends with a newline unless it is one line.

    Raises:
        yaml.YAMLError: If a value has another type.
    """
    # Without a limit on the width, as folded text may not survive all other readers.
    text = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=one_line,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
    )
    return text.removesuffix("\n").removesuffix("\n...") if one_line else text


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
        with atomic_io.open_regular(path) if of_a_folder else path.open("rb") as file:
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
    except (yaml.YAMLError, ValueError) as error:  # ValueError: of a tag such as !!float x
        raise ConfigError(f"{source}: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{source}: nested too deeply") from error
    if not isinstance(values, dict):  # if a tag makes something else of it
        raise ConfigError(f"{source}{_at(node)}: expected a mapping of keys to values")
    return Document(source, values, document.positions, text)


def _measure(root: yaml.Node, source: str) -> None:
    """Count the values of a document with its aliases replaced, without replacing them.

    Raises:
        ConfigError: If there are too many; or a key is not text, such as the key `<<` that merges
            mappings, which would multiply values too.
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
