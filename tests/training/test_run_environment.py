"""Names of accelerators, and the remedy in an out-of-memory error."""

from types import SimpleNamespace

import keras
import pytest

from rumcli import config
from rumcli.benchmark import self_check
from rumcli.errors import RunError
from rumcli.training import run_environment


def test_cpu_is_not_an_accelerator():
    if keras.backend.backend() == "torch" or keras.distribution.list_devices("gpu"):
        pytest.skip("this machine may have a GPU")
    assert run_environment.device_names() == []


def test_tensorflow_accelerators_are_the_visible_ones_with_names(monkeypatch):
    # given
    tf = pytest.importorskip("tensorflow")
    found = [SimpleNamespace(device_type=kind) for kind in ("CPU", "GPU", "TPU")]
    known = {"GPU": {"device_name": "NVIDIA H200"}, "TPU": {}}
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda: found)
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda one: known[one.device_type]
    )

    # then
    assert run_environment.device_names() == ["NVIDIA H200", "TPU"]
    assert run_environment.describe_environment(seed=1)["accelerators"] == ["NVIDIA H200", "TPU"]


def test_jax_accelerators_are_all_devices_but_cpus(monkeypatch):
    # given
    jax = pytest.importorskip("jax")
    found = [
        SimpleNamespace(platform="cpu", device_kind="cpu"),
        SimpleNamespace(platform="gpu", device_kind="NVIDIA H200"),
    ]
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(jax, "devices", lambda: found)

    # then
    assert run_environment.device_names() == ["NVIDIA H200"]


def test_torch_accelerators_are_the_gpus(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"GPU {number}")

    assert run_environment.device_names() == ["GPU 0", "GPU 1"]
    assert self_check.backend()["devices"] == ["cpu", "cuda:0", "cuda:1"]


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        ("copying", "train.batch_size (16), task.delay (200) or cell.units (100)"),
        ("ptb", "train.batch_size (64), task.bptt_steps (50) or cell.units (512)"),
        ("babi", "train.batch_size (32) or cell.units (64)"),
    ],
)
def test_out_of_memory_error_names_the_options_that_the_task_has(preset, options):
    task = SimpleNamespace(config=config.build(preset, [], {}))
    with (
        pytest.raises(RunError) as caught,
        run_environment.translate_oom(task, None),
    ):
        raise MemoryError
    assert str(caught.value).endswith(f"; lower {options}")
