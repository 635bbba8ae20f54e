"""Draw a terminal with a command and its output as SVG.

From the root of the repository, with the output of the command on stdin:
`rum train recall --delay 30 | python -m docs.figures.terminal 'rum train recall --delay 30' FILE`.
Set `FORCE_COLOR=1` for the command to keep its colors.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

_WIDTH = 64
# Rich's own template loads a font from a server; a system font does.
_TEMPLATE = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" \
xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; \
font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main(command: str, file: Path) -> None:
    """Write the figure of a command with the output read from stdin."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "bold green"), command))
    console.print(Text.from_ansi(sys.stdin.read().rstrip()))
    svg = console.export_svg(title="", code_format=_TEMPLATE, unique_id="rum")
    file.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
