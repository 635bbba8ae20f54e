import errno

import pytest

from rumcli.errors import ConfigError
from rumcli.sweeps import plan as plans
from rumcli.sweeps.folder import SweepFolder

from . import files


def test_a_folder_that_cannot_be_written_whole_is_taken_back(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    plan = plans.read(files.write(tmp_path))
    monkeypatch.setattr(SweepFolder, "write_description", refuse)
    with pytest.raises(ConfigError, match=r"can't write to .*out: No space left on device"):
        SweepFolder.create(tmp_path / "out", "sweep", plan)
    assert not (tmp_path / "out").exists()
