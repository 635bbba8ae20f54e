import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.config import yaml_io
from rumcli.errors import ConfigError

# Text that a loader might take for a number, a date, a tag, a comment or the end of a line.
_LOOKALIKES = ("null", "yes", "~", "<<", "=", ".inf", "2001-01-01", "1:30", "0x1f", "1_0", "---")
_PITFALLS = st.characters(categories=["Cs", "Cc", "Zs", "Zl", "Zp", "Nd"])
texts = (
    st.text(st.characters(), max_size=20)
    | st.text(_PITFALLS, max_size=10)
    | st.text(" \n\t'\"#:-?&*!|>%@`,[]{}~=<\\\r\x85\u2028\ufeff", max_size=10)
    | st.from_regex(r"[-+]?[0-9_]*\.?[0-9]*([eE][-+]?[0-9]+)?", fullmatch=True)
    | st.sampled_from(_LOOKALIKES)
)
_MOST = 10**400 - 1
scalars = st.none() | st.booleans() | st.integers(-_MOST, _MOST) | st.floats() | texts
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(tree=st.dictionaries(texts, trees, max_size=3))
def test_a_dumped_mapping_is_read_back_unchanged(tree):
    # As text, since NaN differs from itself and True equals 1.
    assert repr(yaml_io.parse(yaml_io.dump(tree), "x.yaml").values) == repr(tree)


@given(value=trees)
def test_a_value_dumped_in_one_line_is_read_back_unchanged(value):
    line = yaml_io.dump(value, one_line=True)
    assert not set("\n\r") & set(line)
    assert repr(yaml_io.parse_scalar(line)) == repr(value)


@pytest.mark.parametrize("text", ["12e4567", "1e3", "1e-3", ".5e3", "2001-01-01", "0x1f", "yes"])
def test_text_that_looks_like_another_type_is_quoted(text):
    assert yaml_io.dump({"version": text}) == f"version: '{text}'\n"


def test_a_value_that_occurs_twice_is_written_twice():
    shared = [1, 2]
    assert "&" not in yaml_io.dump({"a": shared, "b": shared})


@given(text=st.text())
def test_any_text_is_loaded_or_rejected_in_one_line(text):
    line = ""
    try:
        values = yaml_io.parse(text, "x.yaml").values
    except ConfigError as error:
        line = str(error)
    assert isinstance(values, dict) if not line else line.startswith("x.yaml")
    assert len(line.splitlines()) <= 1


@pytest.mark.parametrize("text", ["1e-3", "1E-3", "1.0e-3", "+1e3", "2.", ".5"])
def test_numbers_are_read_in_all_common_forms(text):
    assert yaml_io.parse_scalar(text) == float(text)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: 1\nb: [1, 2\n", "x.yaml, line 3, column 1: "),
        ("a: 1\n a: 2\n", "x.yaml, line 2, column 3: "),
        ("- 1\n- 2\n", "x.yaml, line 1, column 1: expected a mapping"),
        ("a:\n  b: 1\n  b: 2\n", "x.yaml, line 3, column 3: duplicate key 'a.b'"),
        ("a: !!python/object:os.system x\n", "x.yaml, line 1, column 4: "),
        ("1: 2\n", "x.yaml, line 1, column 1: expected a name as the key"),
        ("", "x.yaml is empty"),
        ("a: 1\n---\nb: 2\n", "x.yaml, line 2, column 1: "),
        ("a: \x00", "x.yaml: "),
        ("a: 0x" + 5000 * "f", "x.yaml, line 1, column 4: a number of too many digits"),
        ("a: !!bool x", "x.yaml: a tag does not match its value"),
        ("a: !!timestamp 2001-01-01", "x.yaml, line 1, column 4: the tag !!timestamp is not "),
        ("a: !!binary YQ==", "x.yaml, line 1, column 4: the tag !!binary is not supported"),
        ("a: [{1: 2}]", "x.yaml, line 1, column 6: expected a name as the key"),
        ("a: 0x" + 390 * "f", "x.yaml, line 1, column 4: a number of too many digits"),
        ("a: !!int ''", "x.yaml: a tag does not match its value"),
        ("a: &x {b: *x}", "x.yaml: "),
        ("!!set {a, b}", "x.yaml, line 1, column 1: the tag !!set is not supported"),
    ],
)
def test_error_names_file_line_and_column(text, where):
    with pytest.raises(ConfigError) as caught:
        yaml_io.parse(text, "x.yaml")
    assert str(caught.value).startswith(where)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["[{0}, {0}, {0}]", "{{p: {0}, q: {0}, r: {0}}}"])
def test_multiplying_aliases_are_rejected(form):
    lines = [f"a{n}: &a{n} {form.format(f'*a{n - 1}')}" for n in range(1, 30)]
    with pytest.raises(ConfigError, match="has more than 20,000 values"):
        yaml_io.parse("\n".join(["a0: &a0 {x: 1}", *lines]), "x.yaml")


def test_ordinary_use_of_aliases_is_accepted():
    values = yaml_io.parse("a: &a {x: 1}\nb: *a\nc: *a\n", "x.yaml").values
    assert values == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1}}


def test_a_file_that_is_too_large_is_rejected(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: 1 # " + "x" * 2**20)
    with pytest.raises(ConfigError, match="is larger than 1 MiB"):
        yaml_io.read(path)


def test_pipe_in_a_directory_is_rejected_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "x.yaml")
    with pytest.raises(ConfigError, match="Not a regular file"):
        yaml_io.read(tmp_path / "x.yaml", regular_only=True)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfa: 1\n", b"a: 1\r\n", b"\xef\xbb\xbfa: 1\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path, content):
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    document = yaml_io.read(path)
    assert document.values == {"a": 1}
    assert document.locate(("a",)) == f"{path}, line 1, column 1"


def test_a_date_is_text():
    assert yaml_io.parse("day: 2001-01-01", "x.yaml").values == {"day": "2001-01-01"}


def test_value_has_its_position():
    document = yaml_io.parse("task:\n  name: copying\n", "x.yaml")
    assert document.locate(("task", "name")) == "x.yaml, line 2, column 3"
    assert document.locate(("task", "absent")) == "x.yaml, line 1, column 1"


def test_a_file_that_is_not_text_is_rejected(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match="not a text file in UTF-8"):
        yaml_io.read(path)
