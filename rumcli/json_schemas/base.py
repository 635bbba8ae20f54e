"""Base class of all JSON documents, their JSON schema, and shared field types."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, SkipJsonSchema

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

# Type of a key that is omitted from the document unless it is set, as in `int | Absent`.
Absent = SkipJsonSchema[None]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Seconds = Annotated[float, Field(ge=0)]
# The range is not enforced, because rounding may exceed it and must not end a command.
Share = Annotated[float, WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

FOLDER = "Path of the run directory, as given."
TASK = "Name of the task; for a custom task, the name of its class in lowercase."
CELL = "Name of the cell; custom for a custom cell."
WEIGHTS_OF_STEP = "Training step of the evaluated weights."


class Section(BaseModel):
    """Part of a document. A key with the default None is omitted unless it is set."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, from_attributes=True)

    @model_serializer(mode="wrap")
    def _omit_unset(self, serialize: SerializerFunctionWrapHandler) -> Any:
        values: dict[str, Any] = serialize(self)
        return {k: v for k, v in values.items() if v is not None or k in self.model_fields_set}


class Document(Section):
    """Complete document. The first line of a subclass's docstring is the title of its schema.

    Attributes:
        kind: Name of the command, with a suffix for its other documents.
        version: Version, incremented when a key is removed or changes its type, unit or meaning.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1

    @classmethod
    def schema_name(cls) -> str:
        """Return the first value of the document, as in `"rum/train/1"`."""
        return f"rum/{cls.kind}/{cls.version}"

    @classmethod
    def file_name(cls) -> str:
        """Return the name of the schema's file in `docs/schemas`."""
        return f"{cls.kind}-{cls.version}.json"

    @classmethod
    def read(cls, content: dict[str, Any]) -> Document:
        """Create a document from a result of `to_dict`, whose version is not checked."""
        return cls.model_validate({k: v for k, v in content.items() if k != "schema"})

    def to_dict(self) -> dict[str, Any]:
        """Return the document with `schema` as its first key."""
        return {"schema": self.schema_name(), **self.model_dump()}

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema of the document."""
        schema = cls.model_json_schema(schema_generator=_Generator)
        title, _, description = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")
        name = {"const": cls.schema_name(), "description": "Kind and version of this document."}
        return {
            "$schema": _DIALECT,
            **schema,
            "title": title.rstrip("."),
            "description": " ".join(description.split()),
            "properties": {"schema": name, **schema["properties"]},
            "required": ["schema", *schema.get("required", [])],
        }


class _Generator(GenerateJsonSchema):
    """Generator of JSON schemas without titles and defaults of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        """Return a schema with title and description first; other keys keep their order."""
        head = [key for key in ("title", "description") if key in value]
        return {key: value[key] for key in [*head, *value]}
