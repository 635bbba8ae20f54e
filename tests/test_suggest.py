from hypothesis import given
from hypothesis import strategies as st

from rumcli import suggest


def test_the_nearest_name_is_offered():
    assert suggest.unknown("cell", "ARUN", ["rum", "arum", "lstm"]) == (
        "unknown cell 'ARUN'; did you mean 'arum'? cells: rum, arum, lstm"
    )


def test_nothing_is_offered_that_is_not_near():
    assert "did you mean" not in suggest.unknown("cell", "transformer", ["rum", "gru"])


@given(name=st.text())
def test_all_names_are_listed(name):
    assert suggest.unknown("cell", name, ["rum", "gru"]).endswith("cells: rum, gru")
