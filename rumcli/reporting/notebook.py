"""Matplotlib figures that a notebook displays. This module imports matplotlib."""

from __future__ import annotations

import io

from matplotlib import figure


class Figure(figure.Figure):
    """Figure that a notebook displays without `pyplot`, which would never release it."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=100)
        return file.getvalue()
