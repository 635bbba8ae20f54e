"""Rich renderables as text."""

import io

from rich.console import Console


def render(renderable, width):
    """Return the text of a renderable in a console of `width` columns, without colors."""
    file = io.StringIO()
    Console(file=file, width=width).print(renderable)
    return file.getvalue()
