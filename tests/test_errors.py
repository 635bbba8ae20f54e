""""""

from hypothesis import given
from hypothesis import strategies as st

from rumcli import errors


def test_the_nearest_name_is_offered():
    assert errors.unknown("cell", "ARUN", ["rum", "arum", "lstm"]) == (
        "unknown cell 'ARUN'; did you mean 'arum'? cells: rum, arum, lstm"
    )


def test_distant_names_are_not_suggested():
    assert "did you mean" not in errors.unknown("cell", "transformer", ["rum", "gru"])


@given(name=st.text())
def test_error_lists_all_names(name):
    assert errors.unknown("cell", name, ["rum", "gru"]).endswith("cells: rum, gru")


def test_name_of_another_size_is_not_suggested():
    known = ["float32", "float64"]
    assert "did you mean" not in errors.unknown("dtype", "float16", known)
    assert "did you mean 'float32'" in errors.unknown("dtype", "float23", known)


def test_kinds_have_their_plural():
    assert errors.unknown("axis", "tiem", ["time"]).endswith("axes: time")
    assert [*map(errors.plural, ["key", "loss", "query"])] == ["keys", "losses", "queries"]
