"""Views of `rum inspect`. No Keras: an invalid name is reported before its import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rumcli.config import RunConfig

VIEWS = ("angles", "norm", "gate", "spectrum", "landscape")


def possible(run: RunConfig) -> list[str]:
    """Return the names in `VIEWS` that apply to a run's cell or to a cell within it."""
    parts: list[Any] = [run.cell, getattr(run.cell, "fast", None), getattr(run.cell, "slow", None)]
    rotating = [part for part in parts if getattr(part, "name", "") in ("rum", "arum")]
    there = {
        "angles": bool(rotating),
        "gate": any(part.update_gate for part in rotating),
        "spectrum": any(part.name == "arum" for part in rotating),
    }
    return [view for view in VIEWS if there.get(view, True)]
