"""Extension of the site's docstring parser: `Example:` is a section of code, like `Examples:`.

Without it, the parser renders such a section as text, in which `>>>` and brackets are markup.
"""

from __future__ import annotations

import re
from typing import Any

import griffe


class ExampleSections(griffe.Extension):
    """Extension that renames the section, of which the parser supports only the plural."""

    def on_instance(self, *, obj: Any, **kwargs: Any) -> None:
        """Rename the section in the docstring of an object."""
        if obj.docstring is not None:
            value = re.sub(r"(?m)^Example:$", "Examples:", obj.docstring.value)
            obj.docstring.value = value
