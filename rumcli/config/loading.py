"""Configuration of a run from presets, files, options and overrides; differences between runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from rumcli import errors, parsing
from rumcli.config import catalog, schema, yaml_io
from rumcli.config.schema import RunConfig
from rumcli.config.validation import explain, not_a_mapping, prefix_of
from rumcli.config.yaml_io import Document, KeyPath
from rumcli.errors import ConfigError

_DEEPEST = 10  # keys in a path; the schema is less deep


def varying(runs: Sequence[RunConfig]) -> dict[KeyPath, list[Any]]:
    """Return the keys in which configurations differ.

    A key that some configurations lack, such as an option of one cell, is included if its values
    differ among the others. A key that has only default values, such as each cell's own
    activation, is not included.

    Args:
        runs: Configurations to compare.

    Returns:
        Keys in the order of `config.yaml`, each with its value in every run; None for a run that
        lacks the key.
    """
    flat = [dict(_flat((), run)) for run in runs]
    found: dict[KeyPath, list[Any]] = {}
    for path in dict.fromkeys(path for one in flat for path in one):
        entries = [one[path] for one in flat if path in one]
        values = [value for value, _ in entries]
        differ = any(value != values[0] for value in values)
        if differ and (path[-1] == "name" or not all(is_default for _, is_default in entries)):
            found[path] = [one[path][0] if path in one else None for one in flat]
    return found


def flattened(run: RunConfig) -> dict[str, Any]:
    """Return a configuration as one level of keys, as in `{"task.name": "copying"}`."""
    return {".".join(path): value for path, (value, _) in _flat((), run)}


def labels(runs: Sequence[RunConfig]) -> list[str]:
    """Return a label for each configuration: the values that distinguish it, its cell first.

    Args:
        runs: Configurations to label.

    Returns:
        Labels such as `"gru"`, `"arum, time_norm=2.0"` and `"arum, time_norm=null"`. Equal
        configurations have equal labels. All labels are empty if all configurations are equal.
    """
    parts: list[list[str]] = [[] for _ in runs]
    _split(list(enumerate(runs)), parts)
    return [", ".join(part) for part in parts]


def _split(runs: Sequence[tuple[int, RunConfig]], parts: list[list[str]]) -> None:
    """Append to `parts` the values that distinguish the numbered runs, key by key."""
    found = varying([run for _, run in runs])
    if not found:
        return
    key = ("cell", "name") if ("cell", "name") in found else next(iter(found))
    groups: dict[str, list[tuple[int, RunConfig]]] = {}
    for one, value in zip(runs, found[key], strict=True):
        label = str(value) if key[-1] == "name" else f"{'.'.join(key[1:] or key)}={_shown(value)}"
        parts[one[0]].append(label)
        groups.setdefault(label, []).append(one)
    for group in groups.values():
        _split(group, parts)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    return str(value)


def _flat(path: KeyPath, section: BaseModel) -> Iterator[tuple[KeyPath, tuple[Any, bool]]]:
    """Yield each key of a section with its value and whether that is the default."""
    fields = type(section).model_fields
    for key in sorted(fields, key=lambda key: key != "name"):  # stable for the others
        field = fields[key]
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            yield from _flat((*path, key), value)
        else:
            yield (*path, key), (value, value == field.default)


def from_file(path: Path) -> schema.RunConfig:
    """Read a complete configuration from a file, such as `config.yaml` in a run directory.

    Args:
        path: File to read.

    Raises:
        ConfigError: If the file can't be read or is not a configuration.
    """
    document = yaml_io.read(path, regular_only=True)
    return _validate(document.values, [document])


def from_text(text: str, source: str) -> schema.RunConfig:
    """Read a complete configuration from text.

    Args:
        text: YAML as written by `to_yaml`.
        source: Name of the text in error messages.

    Raises:
        ConfigError: If it is not a configuration.
    """
    document = yaml_io.parse(text, source)
    return _validate(document.values, [document])


def to_yaml(run: schema.RunConfig) -> str:
    """Return a complete configuration as YAML."""
    return yaml_io.dump(_names_first(run.model_dump()))


def _names_first(content: Any) -> Any:
    if not isinstance(content, dict):
        return content
    keys = sorted(content, key=lambda key: key != "name")  # stable: the others keep their order
    return {key: _names_first(content[key]) for key in keys}


def build(
    preset: str | None = None,
    assignments: Sequence[str] = (),
    flags: Mapping[KeyPath, Any] | None = None,
    spellings: Mapping[KeyPath, str] | None = None,
) -> schema.RunConfig:
    """Build the configuration of a run.

    Args:
        preset: Name of a preset, or path of a YAML file; None for the task's default preset.
        assignments: Strings `key.path=value` with values in YAML.
        flags: Values by key path; None for an option that was not given.
        spellings: Option as typed that sets each key of `flags`, for messages; by default, the key.

    Raises:
        ConfigError: If a name, key, type or range is wrong.
    """
    chosen = {path: value for path, value in (flags or {}).items() if value is not None}
    command_line = _command_line(assignments, chosen, spellings or {})
    chosen_preset = catalog.read_preset(preset) if preset else None
    for document in (command_line, *([chosen_preset] if chosen_preset else [])):
        _normalize(document)
        _check_names(document)
    task = _task_name(chosen_preset, command_line)
    values: dict[str, Any] = {}
    defaults = [catalog.read_preset(task)] if catalog.is_preset_name(task) else []
    documents = [*defaults, *([chosen_preset] if chosen_preset else []), command_line]
    for document in documents:
        values = _merge(values, document)
    return _validate(values, documents)


def changed(run: schema.RunConfig, layer: Document) -> schema.RunConfig:
    """Return a configuration with the values of a layer merged into it.

    Args:
        run: Configuration to change.
        layer: Keys with new values. A new cell or optimizer keeps the options that it shares with
            the old one.

    Raises:
        ConfigError: If a name, key, type or range is wrong; the message has its place in the layer.
    """
    _normalize(layer)
    _check_names(layer)
    below = Document(layer.source, run.model_dump())
    return _validate(_merge(below.values, layer), [below, layer])


def at_length(run: schema.RunConfig, length: int) -> schema.RunConfig:
    """Return the configuration of a run with sequences of another length, for `--length`.

    Args:
        run: Configuration of the run.
        length: Length of the sequences.

    Raises:
        ConfigError: If the task works at one length only, or the length is out of range.
    """
    key = run.task.length_key
    where = errors.option("--length", length)
    if key is None:
        models = schema.models_at(("task",), {})
        names = [name for name, model in models.items() if getattr(model, "length_key", None)]
        raise ConfigError(
            f"{where}: models of '{run.task.label}' are evaluated at one length only; tasks with "
            f"other lengths: {', '.join(names)}"
        )
    path = ("task", key)
    return changed(run, _command_line((), {path: length}, {path: where}))


def differences(one: schema.RunConfig, other: schema.RunConfig) -> list[KeyPath]:
    """Return the paths of the keys in which two configurations differ."""
    return _differing((), one.model_dump(), other.model_dump())


def _differing(path: KeyPath, one: Any, other: Any) -> list[KeyPath]:
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [path]
    if one.get("name") != other.get("name"):
        return [(*path, "name")]  # other differences follow from the name
    # In the order of the file. A key that only one configuration has counts as a difference.
    keys = [*one, *(key for key in other if key not in one)]
    return [
        found for key in keys for found in _differing((*path, key), one.get(key), other.get(key))
    ]


def _command_line(
    assignments: Sequence[str], flags: Mapping[KeyPath, Any], spellings: Mapping[KeyPath, str]
) -> Document:
    """Combine `--set` and other options into one layer; the other options take precedence."""
    document = _CommandLine("", {})
    for text in assignments:
        key, equals, value = text.partition("=")
        where = errors.option("--set", text)
        path = tuple(key.strip().split("."))
        if not equals or not all(path) or len(path) > _DEEPEST:
            raise ConfigError(f"{where}: expected key.path=value, as in train.eval_every=50")
        try:
            _assign(document.values, path, yaml_io.parse_scalar(value))
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError(f"{where}: the value is not YAML") from error
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        document.spellings[path] = where
    for path, value in flags.items():
        _assign(document.values, path, value)
        document.spellings[path] = spellings.get(path, ".".join(path))
        document.options.add(path)
    return document


class _CommandLine(Document):
    def __init__(self, source: str, values: dict[str, Any]) -> None:
        super().__init__(source, values)
        object.__setattr__(self, "spellings", {})
        object.__setattr__(self, "options", set())

    spellings: dict[KeyPath, str]
    options: set[KeyPath]  # keys that are set by options of their own

    def locate(self, path: KeyPath) -> str:
        """Return the option as typed that sets `path`, a key in it or a section around it."""
        for typed, spelling in reversed(self.spellings.items()):
            shared = min(len(typed), len(path))
            if typed[:shared] == path[:shared]:
                return spelling
        return ""

    def prefix(self, path: KeyPath) -> str:
        """Return the option as typed; nothing for the name of the task, an argument."""
        return "" if path == ("task", "name") else f"{self.locate(path)}: "

    def may_be_null(self, path: KeyPath) -> bool:
        """Return whether the key is set by `--set`: other options have no null."""
        return path not in self.options


def _assign(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    for key in path[:-1]:
        inner = values.setdefault(key, {})
        if not isinstance(inner, dict):
            inner = values[key] = {}
        values = inner
    values[path[-1]] = value


def _task_name(chosen_preset: Document | None, command_line: Document) -> str:
    named = _name(command_line, "task")
    in_preset = _name(chosen_preset, "task") if chosen_preset else None
    if named is None and in_preset is None:
        if chosen_preset:
            example = errors.call("train", "copying", preset=chosen_preset.source)
            raise ConfigError(
                f"{chosen_preset.source} has no task; give one, as in {example}; "
                f"tasks: {', '.join(schema.names('task'))}"
            )
        raise ConfigError(f"the task is missing; tasks: {', '.join(schema.names('task'))}")
    if chosen_preset and named and in_preset and named != in_preset:
        raise ConfigError(
            f"{chosen_preset.locate(('task', 'name'))}: the preset is for '{in_preset}', "
            f"not '{named}'"
        )
    return str(named or in_preset)


def _normalize(document: Document) -> None:
    values = schema.normalized(schema.RunConfig, document.values)
    document.values.clear()
    document.values.update(values)


def _check_names(document: Document) -> None:
    """Check the sections of a layer that are selected by name, before it is merged."""
    for section in schema.CHOICES:
        if section not in document.values:
            continue
        part, known = document.values[section], schema.names(section)
        if not isinstance(part, dict):
            raise ConfigError(document.prefix((section,)) + not_a_mapping((section,), part, known))
        if "name" in part and part["name"] not in [*schema.models_at((section,), {})]:
            where = document.prefix((section, "name"))
            named = part["name"] if isinstance(part["name"], str) else errors.shown(part["name"])
            raise ConfigError(where + errors.unknown(section, named, known))


def _name(document: Document, section: str) -> str | None:
    part = document.values.get(section)
    return part.get("name") if isinstance(part, dict) else None


def _merge(values: dict[str, Any], document: Document) -> dict[str, Any]:
    """Merge `document` into `values`; a new cell or optimizer keeps the options that they share."""
    # A description applies to its preset, not to configurations derived from it.
    given = {key: value for key, value in document.values.items() if key != "description"}
    return _merged(schema.RunConfig, values, given)


def _merged(kind: Any, below: Any, value: Any) -> Any:
    """Merge `value` into `below`, at a place of the schema with the annotation `kind`."""
    if not (isinstance(value, dict) and isinstance(below, dict)):
        return value
    models = schema.models_in(kind)
    before, model = schema.chosen(models, below), schema.chosen(models, {**below, **value})
    if before and model and before is not model:
        below = _shared(model, before, below)
    merged = dict(below)
    for key, inner in value.items():
        field = model.model_fields.get(key) if model else None
        merged[key] = _merged(field.annotation if field else None, below.get(key), inner)
        # A section without a name keeps the default one.
        default = getattr(field.default, "name", None) if field else None
        if default and isinstance(inner, dict):
            merged[key] = {"name": default, **merged[key]}
    return merged


def _shared(new: type[BaseModel], old: type[BaseModel], options: dict[str, Any]) -> dict[str, Any]:
    # An option whose defaults differ, such as the activation, has another meaning in each.
    fields = new.model_fields
    return {
        option: value
        for option, value in options.items()
        if option not in old.model_fields  # unknown: reported by the validation
        or (option in fields and fields[option].default == old.model_fields[option].default)
    }


def _validate(values: dict[str, Any], documents: Sequence[Document]) -> schema.RunConfig:
    values = schema.normalized(schema.RunConfig, values)
    try:
        run = schema.RunConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(explain(error.errors()[0], values, documents)) from error
    known = run.task.validated_metrics()
    if run.train.until is not None and known:
        name = parsing.parse_threshold(run.train.until).name
        if name not in known:
            where = prefix_of(("train", "until"), documents)
            raise ConfigError(where + errors.unknown("metric", name, known))
    return run
