"""The disk fills up while a run saves."""

import json
import shutil
import subprocess
import sys

import pytest

from rumcli.training.checkpoint import load
from tests.cli.commands import COMMAND, SMALL, assert_one_line, environment, rum, rum_process
from tests.faults.runs import ARGUMENTS, assert_resumes
from tests.marks import needs_posix
from tests.runs import newest_checkpoint, read_records

pytestmark = needs_posix

_OWN_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]
# A run in a separate file system, whose content is copied before it is unmounted.
_IN_A_SMALL_DISK = """
mount -t tmpfs -o size={size} none disk || exit 99
cd disk
"$@"
code=$?
cp -r run ../copy
exit $code
"""


@pytest.mark.slow
def test_a_file_that_cannot_grow_ends_the_run_in_one_line(tmp_path):
    import resource

    def no_large_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))

    arguments = ["train", "copying", "--steps=20", *SMALL, "--out=x", "--quiet"]
    result = rum_process(*arguments, cwd=tmp_path, preexec_fn=no_large_files)
    assert_one_line(result, 1, "can't write to x: File too large")
    assert "rum train --resume x" in result.stderr
    assert list((tmp_path / "x").rglob("*.part")) == []
    assert rum("train", "--resume=x", "--quiet", cwd=tmp_path).returncode == 0


@pytest.mark.e2e
def test_full_disk_leaves_the_last_checkpoint_intact_and_the_record_readable(tmp_path, unbroken):
    if sys.platform != "linux" or not _can_mount(tmp_path):
        pytest.skip("needs unshare(1) and permission to mount a tmpfs in a namespace")
    # Given a disk that has room for the first checkpoints but not for a third beside two,
    size = 4 * newest_checkpoint(unbroken).stat().st_size
    (tmp_path / "disk").mkdir()
    script = _IN_A_SMALL_DISK.format(size=size)
    command = [*COMMAND, *ARGUMENTS, "--steps=40", "--out=run", "--quiet"]
    command += ["--set=train.keep_checkpoints=9"]
    # when a run fills it,
    result = subprocess.run(
        [*_OWN_MOUNTS, "sh", "-c", script, "sh", *command],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    # then it says so,
    assert_one_line(result, 1, "can't write to run: No space left on device")
    # its files are intact,
    copy = tmp_path / "copy"
    assert all(load(path) for path in copy.glob("checkpoints/*.npz"))
    assert list(copy.glob("checkpoints/step-*.npz"))
    assert list(copy.rglob("*.part")) == []
    assert read_records(copy)
    # and with more space the run resumes bit-exactly.
    shutil.rmtree(tmp_path / "disk", ignore_errors=True)
    config = (unbroken / "config.yaml").read_text()
    assert json.loads((copy / "environment.json").read_text())
    (copy / "config.yaml").write_text(config)
    assert_resumes(copy, unbroken)


def _can_mount(place):
    (place / "probe").mkdir()
    script = "mount -t tmpfs none probe"
    try:
        found = subprocess.run(
            [*_OWN_MOUNTS, "sh", "-c", script], cwd=place, capture_output=True, check=False
        )
    except OSError:
        return False
    return found.returncode == 0
