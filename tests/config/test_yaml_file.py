import os

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rumcli.config import yaml_file
from rumcli.errors import ConfigError

keys = st.text("abcxyz_", min_size=1, max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
trees = st.dictionaries(
    keys, st.recursive(scalars, lambda inner: st.dictionaries(keys, inner), max_leaves=8)
)


@given(tree=trees.filter(bool))
def test_what_yaml_writes_is_read_back(tree):
    assert yaml_file.parse(yaml.safe_dump(tree), "x.yaml").values == tree


@given(text=st.text())
def test_any_text_is_read_or_refused_in_one_line(text):
    line = ""
    try:
        values = yaml_file.parse(text, "x.yaml").values
    except ConfigError as error:
        line = str(error)
    assert isinstance(values, dict) if not line else line.startswith("x.yaml")
    assert len(line.splitlines()) <= 1


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "1.0e-3", "+1e3", "2.", ".5"])
def test_numbers_are_read_as_everybody_writes_them(text):
    assert yaml_file.parse_scalar(text) == float(text)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: 1\nb: [1, 2\n", "x.yaml, line 3, column 1: "),
        ("a: 1\n a: 2\n", "x.yaml, line 2, column 3: "),
        ("- 1\n- 2\n", "x.yaml, line 1, column 1: expected a mapping"),
        ("a:\n  b: 1\n  b: 2\n", "x.yaml, line 3, column 3: 'a.b' is there twice"),
        ("a: !!python/object:os.system x\n", "x.yaml, line 1, column 4: "),
        ("1: 2\n", "x.yaml, line 1, column 1: expected a name as the key"),
        ("", "x.yaml is empty"),
        ("a: 1\n---\nb: 2\n", "x.yaml, line 2, column 1: "),
        ("a: \x00", "x.yaml: "),
        ("a: 0x" + 5000 * "f", "x.yaml, line 1, column 4: a number of too many digits"),
        ("a: !!bool x", "x.yaml: a tag does not fit its value"),
        ("a: !!timestamp x", "x.yaml: a tag does not fit its value"),
        ("a: !!int ''", "x.yaml: a tag does not fit its value"),
        ("a: 2001-99-99", "x.yaml: month must be in 1..12"),
        ("a: &x {b: *x}", "x.yaml: "),
        ("!!set {a, b}", "x.yaml, line 1, column 1: expected a mapping of keys to values"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_column(text, where):
    with pytest.raises(ConfigError) as caught:
        yaml_file.parse(text, "x.yaml")
    assert str(caught.value).startswith(where)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["[{0}, {0}, {0}]", "{{p: {0}, q: {0}, r: {0}}}"])
def test_aliases_that_multiply_are_refused(form):
    lines = [f"a{n}: &a{n} {form.format(f'*a{n - 1}')}" for n in range(1, 30)]
    with pytest.raises(ConfigError, match="has more than 20,000 values"):
        yaml_file.parse("\n".join(["a0: &a0 {x: 1}", *lines]), "x.yaml")


def test_an_alias_may_be_used_as_often_as_a_person_would():
    values = yaml_file.parse("a: &a {x: 1}\nb: *a\nc: *a\n", "x.yaml").values
    assert values == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1}}


def test_a_file_that_is_too_large_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: 1 # " + "x" * 2**20)
    with pytest.raises(ConfigError, match="more than 1 MiB; is it a configuration"):
        yaml_file.read(path)


def test_a_pipe_in_a_folder_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.yaml")
    with pytest.raises(ConfigError, match="Not a regular file"):
        yaml_file.read(tmp_path / "x.yaml", of_a_folder=True)


def test_a_value_knows_where_it_stood():
    document = yaml_file.parse("task:\n  name: copying\n", "x.yaml")
    assert document.locate(("task", "name")) == "x.yaml, line 2, column 3"
    assert document.locate(("task", "absent")) == "x.yaml, line 1, column 1"


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match="not a text file in UTF-8"):
        yaml_file.read(path)
