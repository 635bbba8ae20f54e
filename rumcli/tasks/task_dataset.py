"""What a task may be about that it does not make itself."""

from rumcli.tasks.babi.dataset import BabiDataset
from rumcli.tasks.char_lm.dataset import CharDataset

TaskDataset = CharDataset | BabiDataset
