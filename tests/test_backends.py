"""Which backend is chosen, from the environment, Keras's configuration and what is installed."""

import importlib.util
import pathlib
import tomllib

import pytest

from rumcli import backends
from rumcli.cli.app import main
from rumcli.errors import ConfigError, is_out_of_memory

FOR_DEVELOPERS = {"dev", "docs", "test"}


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return a function that sets up what is installed, and what is chosen in two places."""

    def set_up(installed, environment=None, configuration=None):
        found = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name: name in installed or None if name in backends.TITLES else found(name),
        )
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        if environment is not None:
            monkeypatch.setenv("KERAS_BACKEND", environment)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        if configuration is not None:
            (tmp_path / "keras.json").write_text(configuration)

    return set_up


def named(backend):
    return f'{{"floatx": "float32", "backend": "{backend}"}}'


@pytest.mark.parametrize(
    ("installed", "environment", "configuration", "expected"),
    [
        (["tensorflow", "jax", "torch"], None, None, "tensorflow"),
        (["tensorflow", "jax"], "jax", None, "jax"),
        (["tensorflow", "jax"], "", None, "tensorflow"),
        (["tensorflow", "torch"], None, named("torch"), "torch"),
        (["tensorflow", "torch"], "tensorflow", named("torch"), "tensorflow"),
        (["jax"], None, None, "jax"),
        (["torch"], None, None, "torch"),
        (["jax", "torch"], None, None, "jax"),
        # Keras writes this file at its first import, whatever is installed later.
        (["jax"], None, named("tensorflow"), "jax"),
        (["jax"], None, "[", "jax"),
        (["jax"], None, '{"backend": 3}', "jax"),
    ],
)
def test_backend_is_the_chosen_or_else_an_installed_one(
    machine, installed, environment, configuration, expected
):
    machine(installed, environment, configuration)
    assert backends.require() == expected


@pytest.mark.parametrize(
    ("installed", "environment", "configuration", "message"),
    [
        (
            [],
            None,
            None,
            "Keras needs a backend, and none is installed; expected TensorFlow, JAX or PyTorch: "
            "pip install 'rumcli[tensorflow]', or pip install 'rumcli[jax]', "
            "or pip install 'rumcli[torch]'",
        ),
        (["jax"], "tensorflow", None, "not installed: pip install 'rumcli[tensorflow]'"),
        (["tensorflow"], "jax", None, "needs the package jax, which is not installed: pip install"),
        (["tensorflow"], None, named("torch"), "not installed: pip install 'rumcli[torch]'"),
        (["tensorflow"], "abacus", None, "KERAS_BACKEND=abacus: unknown backend 'abacus'; backend"),
        (["tensorflow"], None, named("numpy"), "keras.json: backend numpy: unknown backend 'nump"),
    ],
)
def test_missing_backend_ends_a_command_with_one_line(
    machine, tmp_path, monkeypatch, capsys, installed, environment, configuration, message
):
    machine(installed, environment, configuration)
    with pytest.raises(ConfigError) as caught:
        backends.require()
    assert message in str(caught.value)

    monkeypatch.chdir(tmp_path)
    assert main(["rotation-check"]) == 2
    assert capsys.readouterr().err == f"rum: error: {caught.value}\n"


class OutOfMemoryError(RuntimeError):
    """Named as PyTorch's."""


def test_want_of_memory_is_recognized_in_the_errors_of_each_backend():
    # What JAX and PyTorch raise on a CPU, and what PyTorch does on a GPU.
    for error in (
        MemoryError(),
        ValueError("RESOURCE_EXHAUSTED: Out of memory allocating 4000 bytes."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate"),
        OutOfMemoryError("CUDA out of memory."),
    ):
        assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("no such file"))


PROJECT = pathlib.Path(__file__).parent.parent / "pyproject.toml"


def test_every_extra_is_listed_with_a_package():
    declared = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    told = {extra["extra"]: extra["package"] for extra in backends.installed_extras()}
    assert set(told) == set(declared) - FOR_DEVELOPERS
    for extra, package in told.items():
        assert any(requirement.startswith(package) for requirement in declared[extra])
