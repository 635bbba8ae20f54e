"""What a task may be about that it does not make itself."""

from rumcli.tasks.babi.dataset import Stories
from rumcli.tasks.char_lm.dataset import Text

Material = Text | Stories
