from types import SimpleNamespace

import keras
import pytest

from rumcli.training import accelerators, environment


def test_a_processor_is_none():
    if keras.distribution.list_devices("gpu"):
        pytest.skip("this machine has a GPU")
    assert accelerators.names() == []


def test_on_tensorflow_they_are_the_visible_ones_with_their_names(monkeypatch):
    # given
    tf = pytest.importorskip("tensorflow")
    devices = [SimpleNamespace(device_type=kind) for kind in ("CPU", "GPU", "TPU")]
    known = {"GPU": {"device_name": "NVIDIA H200"}, "TPU": {}}
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda: devices)
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda one: known[one.device_type]
    )

    # then
    assert accelerators.names() == ["NVIDIA H200", "TPU"]
    assert environment.describe(seed=1)["accelerators"] == ["NVIDIA H200", "TPU"]


def test_on_jax_they_are_the_devices_that_are_no_processors(monkeypatch):
    # given
    jax = pytest.importorskip("jax")
    devices = [
        SimpleNamespace(platform="cpu", device_kind="cpu"),
        SimpleNamespace(platform="gpu", device_kind="NVIDIA H200"),
    ]
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(jax, "devices", lambda: devices)

    # then
    assert accelerators.names() == ["NVIDIA H200"]
