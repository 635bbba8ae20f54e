"""The advice of an out-of-memory error."""

from types import SimpleNamespace

import pytest

from rumcli import config
from rumcli.errors import RunError
from rumcli.training import memory_estimate


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        ("copying", "train.batch_size (128), task.delay (200) or cell.units (100)"),
        ("ptb", "train.batch_size (64), task.bptt_steps (50) or cell.units (512)"),
        ("babi", "train.batch_size (32) or cell.units (64)"),
    ],
)
def test_out_of_memory_error_names_the_options_that_the_task_has(preset, options):
    task = SimpleNamespace(config=config.build(preset, [], {}))
    with (
        pytest.raises(RunError) as caught,
        memory_estimate.translate_oom(task, None),
    ):
        raise MemoryError
    assert str(caught.value).endswith(f"; lower {options}")
