"""Type of the datasets of tasks that do not generate their own data."""

from rumcli.tasks.babi.dataset import BabiDataset
from rumcli.tasks.char_lm.dataset import CharDataset

TaskDataset = CharDataset | BabiDataset
