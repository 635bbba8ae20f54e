import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli import bounds
from rumcli.bounds import Requirement


@given(
    st.from_regex(r"[a-z_]+", fullmatch=True),
    st.sampled_from([">=", "<=", ">", "<"]),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_what_was_written_is_read(name, comparison, bound):
    assert bounds.read(f" {name} {comparison} {bound!r} ") == Requirement(name, comparison, bound)


def test_a_bound_near_one_is_not_shown_as_one():
    assert str(bounds.read("accuracy >= 0.9999999")) == "accuracy>=0.9999999"


def test_another_form_is_an_error_that_shows_the_right_one():
    with pytest.raises(ValueError, match=r"NAME>=NUMBER, .* as in 'accuracy>=0.95'"):
        bounds.read("accuracy=1")
