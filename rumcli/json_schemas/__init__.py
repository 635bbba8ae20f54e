"""JSON documents of commands and run directories, as pydantic models.

`docs/schemas` is generated from them. `rumcli.cli` and `rumcli.reporting.console` import them
inside functions, so that `rum --help` does not import pydantic.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rumcli.json_schemas.base import Document


def models() -> dict[str, type[Document]]:
    """Return the models of all documents by kind."""
    from rumcli.json_schemas.base import Document

    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return {model.kind: model for model in _below(Document) if "kind" in vars(model)}


def _below(model: type[Document]) -> Iterator[type[Document]]:
    for inner in model.__subclasses__():
        yield inner
        yield from _below(inner)
