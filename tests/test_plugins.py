import sys

import pytest

from rumcli import plugins
from rumcli.errors import ConfigError

MODULE = """
import math
from pathlib import Path
Path("has_run").touch()
number = 3
def half(value, of=2):
    return value / of
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with custom modules."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.setattr(plugins, "_trusted", {})
    modules = ("theirs", "broken", "lacking")
    for name in modules:
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "theirs.py").write_text(MODULE)
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "lacking.py").write_text("import surely_not_there")
    yield tmp_path
    for name in modules:  # a command of another test may import a module of that name
        sys.modules.pop(name, None)


def test_untrusted_code_is_not_imported(here):
    for path in ("theirs:half", "os:system"):
        with pytest.raises(ConfigError, match=f"{path}, which can do .* if you trust it: --trust"):
            plugins.make(path, "cell", 8)
    assert not (here / "has_run").exists()


def test_only_trusted_objects_of_a_module_are_created(here):
    plugins.load_trusted("theirs:half")
    assert (here / "has_run").exists()
    assert plugins.make("theirs:half", "cell", 8, of=4) == 2
    with pytest.raises(ConfigError, match="--trust-code"):
        plugins.find("theirs:math")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("their:half", "their:half: there is no module their, neither installed nor in "),
        ("theirs.a:half", "theirs.a:half: there is no module theirs.a, neither"),
        (
            "lacking:Cell",
            "lacking:Cell: importing lacking fails: No module named 'surely_not_there'",
        ),
        ("broken:Cell", "broken:Cell: importing broken fails: ZeroDivisionError: division by zero"),
        ("theirs:third", "theirs:third: theirs has no third"),
        ("theirs:number", "theirs:number: expected a class or a function, got int"),
    ],
)
def test_error_in_custom_code_is_reported(here, path, expected):
    with pytest.raises(ConfigError) as raised:
        plugins.load_trusted(path)
    assert str(raised.value).startswith(expected)


def test_error_raised_by_custom_code_is_reported(here):
    plugins.load_trusted("theirs:half")
    with pytest.raises(ConfigError) as raised:
        plugins.make("theirs:half", "cell", 8, off=4)
    expected = "cell theirs:half(…, off=4) fails: TypeError: half() got an unexpected keyword"
    assert str(raised.value).startswith(expected)


@pytest.mark.parametrize("text", ["a:B", "a.b_1:C", "ä.b:Ç"])
def test_module_and_name_form_an_import_path(text):
    assert plugins.is_path(text)


@pytest.mark.parametrize(
    "text", ["gru", "a:", ":B", "a.:B", "a/b:C", "a:b.c", "1:b", "a:b;c", "a:b\n"]
)
def test_other_text_is_no_import_path(text):
    assert not plugins.is_path(text)


def test_path_of_a_class_is_that_under_which_it_is_imported(monkeypatch):
    assert plugins.path_of(ExampleClass) == f"{__name__}:ExampleClass"
    assert plugins.load_trusted(plugins.path_of(ExampleClass)) is ExampleClass
    with pytest.raises(ConfigError, match="expected a class or function at the top level"):
        plugins.path_of(ExampleClass.Inner)
    before = ExampleClass
    monkeypatch.setattr(sys.modules[__name__], "ExampleClass", object)
    with pytest.raises(ConfigError, match=f"^{__name__}:ExampleClass refers to another object now"):
        plugins.path_of(before)


class ExampleClass:
    class Inner:
        pass
