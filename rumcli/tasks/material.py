"""What a task may be about that it does not make itself."""

from rumcli.tasks.stories import Stories
from rumcli.tasks.text import Text

Material = Text | Stories
