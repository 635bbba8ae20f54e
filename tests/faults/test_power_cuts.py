"""Power cuts: writes that were not flushed to the disk are lost.

A simulated disk drops it at every moment of a run; a file system in an image, under a real run.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from rumcli import atomic_io
from rumcli.errors import ConfigError
from rumcli.jobs.job_spec import FAILED, RunResult
from rumcli.signals import StopRequest
from rumcli.sweeps import sweep_spec as plans
from rumcli.sweeps.search import SweepFolder
from rumcli.training import resume
from rumcli.training.callback import RunCallback, TrainState
from rumcli.training.listeners import Listener
from rumcli.training.process_group import ALONE
from rumcli.training.run_dir import NOT_FINITE, RunDir
from tests import small
from tests.cli.commands import rum, start
from tests.faults.runs import ARGUMENTS
from tests.power import Disk
from tests.runs import newest_checkpoint, read_records, step_of
from tests.sweeps import files as sweeps

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def disk(tmp_path):
    """A disk that drops unflushed writes."""
    root = tmp_path / "disk"
    root.mkdir()
    found = Disk(root)
    yield found
    found.close()


def test_simulated_disk_drops_unflushed_writes(disk, tmp_path):
    # given
    atomic_io.write_text(disk.root / "a", "whole")
    (disk.root / "a").write_text("not flushed")
    (disk.root / "b").write_text("not flushed")
    (disk.root / "aside").write_text("flushed, but not its new name")
    with (disk.root / "aside").open("rb+") as file:
        os.fsync(file.fileno())
    (disk.root / "aside").rename(disk.root / "c")

    # when
    disk.cut_power(tmp_path / "left")

    # then
    assert [path.name for path in (tmp_path / "left").iterdir()] == ["a"]
    assert (tmp_path / "left" / "a").read_text() == "whole"


def keeping(run_dir):
    """Return the callback of a run directory, with a stand-in for the model."""
    run = small.run_config(steps=100)
    task = SimpleNamespace(config=run, monitor="loss", higher_is_better=False)
    progress = TrainState()
    return RunCallback(task, run_dir, progress, Listener(), StopRequest(), ALONE), progress


def test_power_cut_loses_nothing_before_the_newest_checkpoint(disk, tmp_path):
    # Given a run with best evaluations, checkpoints and bad steps,
    promised, cuts = [0], []

    def cut():
        cuts.append((tmp_path / f"cut-{len(cuts)}", promised[0]))
        disk.cut_power(cuts[-1][0])

    disk._on_flush = cut
    arrays = {"model/a": np.zeros(2)}
    run_dir = RunDir.create(disk.root / "run", small.run_config())
    callback, progress = keeping(run_dir)
    for step in range(1, 36):
        progress.step = step
        if step in (12, 23):
            run_dir.append_record({"step": step, "loss": "nan"}, NOT_FINITE)
        if step % 10 == 0:
            callback._evaluated({"loss": 1.0, "val_loss": (step - 20.0) ** 2}, arrays)
        if step % 5 == 0:
            callback._save(arrays)
            promised[0] = step
    cut()
    disk.close()
    assert len(cuts) > 50
    for place, at_least in cuts:
        # when the power is cut before or after any flush,
        run = place / "run"
        if not (run / "config.yaml").exists():
            RunDir.create(run, small.run_config())
            continue
        left = RunDir.open(run)
        checkpoint, warnings = resume.load(left)
        step = 0 if checkpoint is None else checkpoint.step
        # then the saved checkpoints exist,
        assert step >= at_least
        assert all("interrupted before its first" in warning for warning in warnings)
        # and all earlier records, without any repair.
        done = [record["step"] for record in left.records() if record["step"] <= step]
        assert done == list(range(10, step + 1, 10))
        assert [one["step"] for one in left.records(NOT_FINITE) if one["step"] <= step] == [
            bad for bad in (12, 23) if bad <= step
        ]
        assert left.rewind_records(step, checkpoint and checkpoint.records) == []


def test_a_sweep_keeps_its_points_and_marks_through_a_power_cut(disk, tmp_path):
    point = {"optimizer.learning_rate": 0.01}
    plan = plans.read(sweeps.write_sweep(tmp_path))
    with SweepFolder.claim(disk.root / "out", "sweep", plan) as made:
        made.write_points([point])
        one = sweeps.run_of(plan, 1, 1, point)
        made.begin(one)
        made.mark(one, RunResult(FAILED, "why"))
        disk.cut_power(tmp_path / "left")
    left = SweepFolder.open(tmp_path / "left" / "out")
    assert left.plan().spec == plan.spec
    assert left.points() == [point]
    assert left.mark_of(one) == RunResult(FAILED, "why")
    assert left.begin(one).config == plan.run(point, 1)
    with pytest.raises(ConfigError, match="not empty"), SweepFolder.claim(left.path, "x", plan):
        pass


CHECKPOINTS = 12


@pytest.mark.e2e
def test_a_run_on_a_real_file_system_keeps_its_record_through_a_power_cut(tmp_path, unbroken):
    # Given a file system in an image that writes nothing by itself for five minutes,
    image, disk, copy = tmp_path / "image", tmp_path / "disk", tmp_path / "copy"
    mount(image, disk)
    try:
        # when the power is cut while a run on it saves,
        arguments = [*ARGUMENTS, "--steps=1000000", "--out=run", "--quiet"]
        process = start(*arguments, cwd=disk, fresh=True)
        run, deadline = disk / "run", time.monotonic() + 120
        while (
            not list(run.glob("checkpoints/step-*"))
            or step_of(newest_checkpoint(run)) < 5 * CHECKPOINTS
        ):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)
        at_least = step_of(newest_checkpoint(run))
        shutil.copyfile(image, copy)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finally:
        subprocess.run(["umount", disk], check=True)
    # then the image, once its journal is replayed, has the checkpoint and all earlier records,
    mount(copy, disk, is_new=False)
    try:
        shutil.copytree(disk / "run", tmp_path / "left")
    finally:
        subprocess.run(["umount", disk], check=True)
    left = tmp_path / "left"
    step = step_of(newest_checkpoint(left))
    # (the newest one may have been renamed only a moment before)
    assert step >= at_least - 5
    recorded = [record["step"] for record in read_records(left) if record["step"] <= step]
    assert recorded == list(range(10, step + 1, 10))
    # and the run resumes.
    config = (left / "config.yaml").read_text().replace("1000000", str(step + 5))
    (left / "config.yaml").write_text(config)
    result = rum("train", "--resume=left", "--quiet", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "lack" not in result.stderr


def mount(image, place, is_new=True):
    """Mount the file system of an image file, or skip the test."""
    place.mkdir(exist_ok=True)
    commands = [["mount", "-o", "loop,commit=300,noauto_da_alloc", image, place]]
    if is_new:
        with image.open("wb") as file:
            file.truncate(64 * 2**20)
        commands.insert(0, ["mkfs.ext4", "-q", image])
    for command in commands:
        try:
            result = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            pytest.skip(f"can't run {command[0]}: {error.strerror}")
        if result.returncode != 0:
            pytest.skip(f"needs leave to mount an image: {result.stderr.strip()}")
