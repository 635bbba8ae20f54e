"""`rum train` on several devices and hosts: options, and real runs against one process."""

import contextlib
import importlib.util
import ipaddress
import itertools
import json
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from rumcli import backends, config
from rumcli.cli import _distributed, _keras_startup
from rumcli.cli._options import OutputMode
from rumcli.errors import ConfigError
from rumcli.training.callback import RunStopped
from rumcli.training.distribution import Placement
from rumcli.training.process_group import LostError, ProcessGroup
from tests import small
from tests.cli.commands import (
    SMALL_RUM,
    assert_one_line,
    interrupt_when,
    rum,
    rum_process,
    start,
    wait_until,
)
from tests.marks import needs_posix
from tests.runs import last_saved_step, read_records

pytestmark = needs_posix

COPYING = ["train", "copying", *SMALL_RUM, "--set=train.eval_every=4"]


@pytest.fixture
def on_jax(monkeypatch):
    monkeypatch.setattr(backends, "name", lambda: "jax")
    monkeypatch.setattr(backends, "require", lambda: "jax")
    for variables in _distributed._LAUNCHERS.values():
        for name in filter(None, variables):
            monkeypatch.delenv(name, raising=False)


AT = "--coordinator=127.0.0.1:9"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--devices=3"], "--devices 3: a batch of 8 cannot be split evenly over 3 devices; try"),
        (["--devices=0"], "--devices 0: expected at least 1"),
        (["--devices=some"], "--devices some: expected a number or all"),
        (["--processes=2"], "--processes 2: expected --coordinator HOST:PORT too"),
        (["--process=1"], "--process 1: expected --coordinator HOST:PORT too"),
        (["--timeout=5"], "--timeout 5: expected --coordinator HOST:PORT too"),
        ([AT], "--coordinator 127.0.0.1:9: expected --processes too"),
        ([AT, "--processes=2"], "--coordinator 127.0.0.1:9: expected --process too"),
        ([AT, "--processes=2", "--process=2"], "--process 2: expected 0 to 1"),
        ([AT, "--processes=2", "--process=-1"], "--process -1: expected 0 to 1"),
        ([AT, "--processes=0", "--process=0"], "--processes 0: expected at least 1"),
        ([AT, "--processes=2", "--process=0", "--timeout=0"], "--timeout 0: expected seconds"),
        (
            [AT, "--processes=3", "--process=0"],
            "--processes 3: a batch of 8 cannot be split evenly over 3 devices; try",
        ),
        (
            ["--coordinator=here", "--processes=2", "--process=0"],
            "--coordinator here: expected HOST:PORT, or auto",
        ),
        (
            ["--coordinator=0.0.0.0:9", "--processes=2", "--process=0"],
            "expected the address of process 0, to which the others connect",
        ),
        (
            ["--coordinator=no-such-host.invalid:9", "--processes=2", "--process=1"],
            "--coordinator no-such-host.invalid:9: unknown host",
        ),
        (["--coordinator=auto"], "--coordinator auto: no launcher found: Slurm (SLURM_PROCID)"),
        (
            ["--workers=2"],
            "--workers 2: expected --ray too; on one host without Ray, use --devices",
        ),
        (["--ray=local"], "--ray local: expected --workers N"),
        (["--ray=local", "--workers=0"], "--ray local --workers 0: expected --workers N"),
        (
            ["--ray=local", "--workers=2", "--devices=2"],
            "incompatible with --devices and --coordinator",
        ),
    ],
)
def test_impossible_options_are_rejected_at_once(tmp_path, on_jax, options, expected):
    assert_one_line(rum(*COPYING, *options, cwd=tmp_path), 2, expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "again"),
    [
        (["--devices=2"], "KERAS_BACKEND=jax rum train … --devices 2"),
        ([AT, "--processes=2", "--process=1"], "rum train … --coordinator 127.0.0.1:9"),
        (["--ray=local", "--workers=2"], "rum train … --ray local --workers 2"),
    ],
)
def test_other_engines_are_rejected_with_the_command_that_works(
    tmp_path, monkeypatch, options, again
):
    monkeypatch.setattr(backends, "name", lambda: "tensorflow")
    result = rum(*COPYING, *options, cwd=tmp_path)
    assert_one_line(result, 2, "several devices require the JAX backend, not 'tensorflow'")
    assert result.stderr.endswith(f"{again}\n")
    assert list(tmp_path.iterdir()) == []


def test_suite_of_subtasks_has_one_device(tmp_path, on_jax):
    result = rum("train", "babi", "--subtask=all", "--devices=2", cwd=tmp_path)
    assert_one_line(result, 2, "--devices and --subtask all are mutually exclusive")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "4"}, (1, 4)),
        ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "2"}, (0, 2)),
        ({"JOB_COMPLETION_INDEX": "3"}, (3, None)),
    ],
)
def test_launcher_gives_number_and_count(on_jax, monkeypatch, variables, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = _distributed.parse_placement(None, "auto", None, None, None)
    assert (found.rank, found.count, found.coordinator) == (*expected, "auto")


def test_launcher_with_a_number_that_is_none_is_rejected(on_jax, monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "first")
    with pytest.raises(ConfigError, match="environment variable SLURM_PROCID=first: expected a"):
        _distributed.parse_placement(None, "auto", None, None, None)


def test_first_of_the_addresses_that_keras_lists_is_the_coordinator(on_jax):
    found = _distributed.parse_placement("all", "127.0.0.1:9,127.0.0.2:9", 2, 1, 5.0)
    assert found == Placement("all", "127.0.0.1:9", 2, 1, 5.0)


def test_one_process_is_no_group(on_jax):
    assert _distributed.parse_placement(None, "127.0.0.1:9", 1, 0, None) is None
    assert _distributed.parse_placement("2", "127.0.0.1:9", 1, 0, None) == Placement(2)
    assert _distributed.parse_placement(None, None, None, None, None) is None


@dataclass(frozen=True)
class Second(ProcessGroup):
    """Process 1 of two, where process 0 sent a configuration and equal or unequal digests."""

    theirs: str = ""
    is_equal: bool = True

    def broadcast(self, content):
        return self.theirs.encode()

    def gather(self, number):
        return [number if self.is_equal else number ^ 1, number]


def agree(run, theirs, is_equal=True):
    found = Second(1, 2, 2, theirs=theirs, is_equal=is_equal)
    return _distributed.agree(Placement(None, "127.0.0.1:9", 2, 1), run, found)


def test_settings_that_differ_between_processes_are_named():
    theirs = config.to_yaml(small.run_config(settings=["seed=2"]))
    message = "the configuration of process 1 differs from that of process 0 in seed; give every"
    with pytest.raises(ConfigError, match=message):
        agree(small.run_config(), theirs, is_equal=False)


def test_process_without_the_run_folder_takes_the_settings_of_process_0():
    run = small.run_config(settings=["seed=2"])
    assert agree(None, config.to_yaml(run)) == run
    assert agree(None, "") is None


def test_devices_that_cannot_share_a_batch_are_found_once_all_have_joined():
    run = small.run_config(train__batch_size=7)
    with pytest.raises(ConfigError, match="a batch of 7 cannot be split evenly over 2 devices"):
        agree(run, config.to_yaml(run))


def test_engine_without_its_device_is_one_line(monkeypatch):
    import keras

    def fail(*arguments):
        raise AssertionError

    monkeypatch.setattr(backends, "require", lambda: "jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # which it sets, for the processes that it starts
    monkeypatch.setattr(keras.ops, "zeros", fail)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    message = "on the backend 'jax': no device was found; JAX_PLATFORMS=cuda"
    with pytest.raises(ConfigError, match=message):
        _keras_startup.start(debug=True, quiet=True)


@pytest.fixture
def second(monkeypatch):
    """Return a function that follows a process 0 which sent a text, and returns what it trains."""
    from rumcli.training import trainer

    trained = []
    monkeypatch.setattr(_keras_startup, "start", lambda debug, first, quiet: first())
    monkeypatch.setattr(trainer, "train", lambda *arguments: trained.append(arguments))

    def follow(theirs, run=None, data=None, typed=(), error=None):
        group = Second(1, 2, 2, theirs=theirs, loss=lambda error: "process 0 is gone")
        calls = []
        joined = SimpleNamespace(
            group=group,
            start=lambda: calls.append("start"),
            finish=lambda: calls.append("finish"),
        )
        monkeypatch.setattr(_distributed, "runtime", lambda *arguments: joined)
        if error is not None:
            monkeypatch.setattr(trainer, "train", error)
        placement = Placement(None, "127.0.0.1:9", 2, 1)
        _distributed.follow(
            placement, run, data, False, list(typed), OutputMode(False, False, False)
        )
        assert calls == ["start", "finish"]
        return trained

    return follow


def test_other_processes_of_a_finished_run_end(second, capsys):
    assert second("") == []
    assert capsys.readouterr().err == "the run is finished\n"


def test_other_process_trains_without_a_folder_on_its_own_data(second, tmp_path):
    small.write_text(tmp_path / "here")
    run = small.run_config("ptb", task__data="/only/on/the/other/host")
    [(found, folder, *_, group)] = second(config.to_yaml(run), data=str(tmp_path / "here"))
    assert found.task.data == str(tmp_path / "here")
    assert found.cell == run.cell
    assert (folder.path.exists(), group.rank) == (False, 1)


def test_code_that_only_process_0_named_is_not_run(second):
    run = small.run_config(cell="custom", cell__factory="tests.small:write_text")
    with pytest.raises(ConfigError, match="--trust-code"):
        second(config.to_yaml(run))


def test_loss_of_process_0_is_reported_by_the_others(second):
    def fail(*arguments):
        raise ValueError("UNKNOWN: Gloo AllGather failed")

    run = small.run_config()
    with pytest.raises(LostError, match="process 0 is gone"):
        second(config.to_yaml(run), run, error=fail)


def test_agreed_stop_is_the_exit_code_of_every_process(second):
    def stop(*arguments):
        raise RunStopped(3, signal.SIGTERM)

    run = small.run_config()
    with pytest.raises(SystemExit) as ended:
        second(config.to_yaml(run), run, error=stop)
    assert ended.value.code == 128 + signal.SIGTERM


# Real runs.

# In float64: in float32 each order of summation rounds otherwise, and training amplifies it.
JAX = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "1",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiling takes longer than such a run
}
needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)
# Dropout and zoneout draw numbers for what is split. 24 examples are three batches that are split,
# 11 are batches that do not divide.
RUM = [
    *("train", "copying", "--cell=rum", "--delay=4", "--hidden=8", "--batch-size=8"),
    *("--set=cell.layer_norm=true", "--set=cell.zoneout=0.2", "--set=model.dropout=0.1"),
    *("--set=train.eval_every=4", "--set=train.checkpoint_every=5", "--set=precision=float64"),
    *("--set=task.validation_examples=24", "--set=task.test_examples=11"),
]


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def on_two(options, cwd, *each, timeout=120):
    """Start the processes of a run, the last one first; return them by number."""
    common = [*options, f"--coordinator={free_address()}", "--processes=2", f"--timeout={timeout}"]
    pairs = list(enumerate(each or ([], [])))
    return [start(*common, *own, f"--process={number}", cwd=cwd, env=JAX) for number, own in pairs]


def listening(process):
    """Return the addresses at which a process listens, as Linux lists them."""
    links = [str(path.readlink()) for path in Path(f"/proc/{process.pid}/fd").iterdir()]
    own = {link.removeprefix("socket:[").rstrip("]") for link in links}
    found = []
    for name, size in (("tcp", 4), ("tcp6", 16)):
        for line in Path(f"/proc/{process.pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in own:
                words = bytes.fromhex(fields[1].split(":")[0])
                parts = [words[at : at + 4][::-1] for at in range(0, size, 4)]
                found.append(ipaddress.ip_address(b"".join(parts)))
    return found


def ends(processes):
    """Return exit code and stderr of each process."""
    found = []
    for process in processes:
        _, err = process.communicate(timeout=200)
        found.append((process.returncode, err))
    return found


def assert_same_losses(found, expected):
    """Assert that a run has the losses of another, which may be shorter."""
    for one, other in zip(read_records(found), read_records(expected), strict=False):
        assert one["step"] == other["step"]
        for name in ("loss", "val_loss"):
            assert one[name] == pytest.approx(other[name], rel=1e-9)


def shorten(folder, steps):
    """Give a run that was stopped fewer steps in all."""
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace("steps: 5000", f"steps: {steps}"))


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    """The run directory of twelve steps by one process on one device."""
    place = tmp_path_factory.mktemp("one")
    result = rum_process(*RUM, "--steps=12", "--out=one", "--quiet", cwd=place, env=JAX)
    assert result.returncode == 0, result.stderr
    return place / "one"


@pytest.mark.e2e
@needs_jax
def test_two_processes_and_then_two_devices_match_one_device(tmp_path, one_process):
    # Given two processes, one of which gets a signal,
    two = tmp_path / "two"
    processes = on_two([*RUM, "--steps=5000"], tmp_path, ["--out=two"], [])
    wait_until(lambda: last_saved_step(two) >= 5, processes[0])
    if sys.platform == "linux":
        addresses = [listening(process) for process in processes]
        assert [len(found) for found in addresses] == [2, 1]  # coordinator and collectives
        for address in itertools.chain(*addresses):
            assert (getattr(address, "ipv4_mapped", None) or address).is_loopback, address
    code, _, err = interrupt_when(processes[1], lambda: True, signal.SIGTERM)
    assert code == 143, err
    _, err = processes[0].communicate(timeout=60)
    # when both save and stop,
    assert processes[0].returncode == 143
    assert err.endswith("to resume: rum train --resume two\n")
    made = json.loads((two / "environment.json").read_text())
    assert (made["devices"], made["processes"]) == (2, 2)
    # and two devices of one process continue,
    steps = max(12, last_saved_step(two) + 1)
    shorten(two, steps)
    result = rum_process("train", "--resume=two", "--devices=2", "--json", cwd=tmp_path, env=JAX)
    assert result.returncode == 0, result.stderr
    assert "oneDNN" not in result.stderr  # TensorFlow's, which Keras imports to seed it
    made = json.loads((two / "environment.json").read_text())["resumed"][0]
    assert (made["devices"], made["processes"]) == (2, 1)
    # then the losses are those of one process.
    assert_same_losses(two, one_process)
    if steps == 12:
        expected = json.loads((one_process / "summary.json").read_text())["loss"]
        assert json.loads(result.stdout)["loss"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.e2e
@needs_jax
def test_failures_before_the_first_step_end_all_processes_with_one_line(tmp_path):
    options = [*RUM, "--steps=8", "--quiet"]
    different = on_two(options, tmp_path, ["--out=one"], ["--seed=2"])
    late = [*options, "--timeout=6", f"--coordinator={free_address()}"]
    absent = [start(*late, "--processes=2", "--process=1", cwd=tmp_path, env=JAX)]
    late[-1] = f"--coordinator={free_address()}"
    twice = [
        start(*late, "--batch-size=9", "--processes=3", f"--process={n}", cwd=tmp_path, env=JAX)
        for n in (0, 1, 1)
    ]
    lines = []
    for process in (*different, *absent, *twice):
        _, err = process.communicate(timeout=120)
        assert process.returncode == 2, err
        assert err.count("\n") == 1, err
        lines.append(err)
    assert "the configuration of process 1 differs from that of process 0 in seed" in lines[1]
    assert "process 0 cannot be reached there" in lines[2]
    assert any("two processes have the same number" in line for line in lines[4:])
    assert not (tmp_path / "one").exists()
    assert not (tmp_path / "runs").exists() or list((tmp_path / "runs").iterdir()) == []


@pytest.mark.slow
@needs_jax
@pytest.mark.parametrize("killed", [0, 1])
def test_killed_process_ends_the_others_and_the_run_continues(tmp_path, killed, one_process):
    two = tmp_path / "two"
    processes = on_two([*RUM, "--steps=5000", "--quiet"], tmp_path, ["--out=two"], [])
    victim, left = processes[killed], processes[1 - killed]
    interrupt_when(victim, lambda: last_saved_step(two) >= 10, signal.SIGKILL)
    began = time.monotonic()
    _, err = left.communicate(timeout=120)
    assert time.monotonic() - began < 60
    assert left.returncode == 1
    assert err.count("\n") == 1
    assert "ended or cannot be reached" in err
    # and two others continue, of which only process 0 has the folder.
    shorten(two, last_saved_step(two) + 4)
    (tmp_path / "elsewhere").mkdir()
    common = ["train", "--resume=two", f"--coordinator={free_address()}", "--processes=2"]
    again = [
        start(*common, f"--process={number}", cwd=place, env=JAX)
        for number, place in enumerate((tmp_path, tmp_path / "elsewhere"))
    ]
    assert [code for code, _ in ends(again)] == [0, 0]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert_same_losses(two, one_process)


@pytest.mark.slow
@needs_jax
def test_carried_states_of_a_text_survive_another_number_of_processes(tmp_path):
    small.write_text(tmp_path / "text")
    settings = [f"--set={one}" for one in (*small.SETTINGS, *small.OF_CHARACTERS)]
    command = [
        *("train", "ptb", f"--data={tmp_path / 'text'}", *settings, "--cell=rum", "--hidden=8"),
        *("--batch-size=8", "--set=precision=float64", "--quiet"),
    ]
    result = rum_process(*command, "--steps=24", "--out=one", cwd=tmp_path, env=JAX)
    assert result.returncode == 0, result.stderr
    processes = on_two([*command, "--steps=20"], tmp_path, ["--out=two"], [])
    assert [code for code, _ in ends(processes)] == [0, 0]
    result = rum_process("train", "--resume=two", "--steps=24", cwd=tmp_path, env=JAX)
    assert result.returncode == 0, result.stderr
    assert len(read_records(tmp_path / "two")) == len(read_records(tmp_path / "one"))
    assert_same_losses(tmp_path / "two", tmp_path / "one")


@pytest.mark.slow
@needs_jax
def test_half_precision_trains_on_two_devices(tmp_path):
    arguments = [*RUM, "--set=precision=mixed_bfloat16", "--steps=8", "--quiet"]
    for devices in (1, 2):
        own = [f"--devices={devices}", f"--out={devices}"]
        result = rum_process(*arguments, *own, cwd=tmp_path, env=JAX)
        assert result.returncode == 0, result.stderr
    one, two = (read_records(tmp_path / name)[0]["loss"] for name in ("1", "2"))
    assert two == pytest.approx(one, rel=0.05)  # of numbers with 8 bits


@pytest.mark.e2e
@needs_jax
def test_more_devices_than_a_cpu_has_cores_are_rejected(tmp_path):
    many = "--devices=100000", "--batch-size=100000"
    result = rum_process(*COPYING, *many, "--quiet", cwd=tmp_path, env=JAX)
    assert_one_line(result, 2, "devices (CPU); expected at most")


@pytest.mark.slow
@needs_jax
def test_loss_that_is_not_finite_is_skipped_by_all(tmp_path):
    bad = [
        "--set=precision=float32",
        "--learning-rate=1e38",
        "--on-non-finite=skip",
        "--set=train.max_consecutive_skips=100",
    ]
    processes = on_two([*RUM, *bad, "--steps=8", "--quiet"], tmp_path, ["--out=two"], [])
    assert [code for code, _ in ends(processes)] == [0, 0]
    assert json.loads((tmp_path / "two" / "summary.json").read_text())["skipped_steps"] > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@needs_jax
def test_run_on_ray_survives_a_killed_worker(tmp_path, one_process):
    pytest.importorskip("ray", reason="needs Ray: pip install 'rumcli[cluster]'")
    arguments = [*RUM, "--steps=12", "--out=two", "--ray=local", "--workers=2", "--quiet"]
    process = start(*arguments, cwd=tmp_path, env=JAX)
    two = tmp_path / "two"

    def number():
        with contextlib.suppress(OSError, ValueError):
            return json.loads((two / "lock").read_text())["process"]

    wait_until(lambda: last_saved_step(two) >= 4 and number() is not None, process)
    os.kill(number(), signal.SIGKILL)
    _, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    assert_same_losses(two, one_process)
