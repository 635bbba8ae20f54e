"""The JSON documents that commands print, each with a kind and a version.

docs/runs.md and the files in docs/schemas describe their content.
"""

from __future__ import annotations

# A kind is its command's name; a command's other document has what asks for it behind that. The
# version grows when a key changes its meaning or goes.
_VERSIONS = {
    "train": 1,
    "train-all": 1,
    "train-dry-run": 1,
    "sweep": 1,
    "sweep-dry-run": 1,
    "reproduce": 1,
    "reproduce-dry-run": 1,
    "eval": 1,
    "generate": 1,
    "compare": 1,
    "export": 1,
    "import-checkpoint": 1,
    "plot": 1,
    "inspect": 1,
    "gen-data-copying": 1,
    "gen-data-recall": 1,
    "gen-data-babi": 1,
    "gen-data-ptb": 1,
    "presets-list": 1,
    "presets-show": 1,
    "presets-show-summary": 1,
    "presets-copy": 1,
    "doctor": 1,
    "rotation-check": 1,
    "bench": 1,
}
KINDS = tuple(_VERSIONS)


def schema(kind: str) -> str:
    """Return what a document of this kind has under `schema`, as in `"rum/train/1"`."""
    return f"rum/{kind}/{_VERSIONS[kind]}"
