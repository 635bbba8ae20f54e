"""The JSON documents that commands print and run directories hold, as pydantic models.

`docs/schemas` is generated from them. Import their modules inside functions: pydantic takes longer
to import than `rum --help` may.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rumcli.documents.base import Document

# Not models yet: their schema files are written by hand.
PLAIN = {"sweep": 1, "sweep-dry-run": 1, "reproduce": 1, "reproduce-dry-run": 1}


def models() -> dict[str, type[Document]]:
    """Return every document's model by its kind."""
    from rumcli.documents.base import Document

    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return {model.kind: model for model in _below(Document) if "kind" in vars(model)}


def _below(model: type[Document]) -> Iterator[type[Document]]:
    for inner in model.__subclasses__():
        yield inner
        yield from _below(inner)


def schema(kind: str) -> str:
    """Return the `schema` of a document that is not a model yet, as in `"rum/sweep/1"`."""
    return f"rum/{kind}/{PLAIN[kind]}"
