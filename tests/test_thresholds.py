import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli import thresholds
from rumcli.thresholds import Threshold


@given(
    st.from_regex(r"[a-z_]+", fullmatch=True),
    st.sampled_from([">=", "<=", ">", "<"]),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_written_bound_is_read_back_unchanged(name, comparison, bound):
    assert thresholds.read(f" {name} {comparison} {bound!r} ") == Threshold(name, comparison, bound)


def test_bound_near_one_is_not_rounded_to_one():
    assert str(thresholds.read("accuracy >= 0.9999999")) == "accuracy>=0.9999999"


def test_wrong_form_is_rejected_with_the_right_one():
    with pytest.raises(ValueError, match=r"NAME>=NUMBER, .* as in 'accuracy>=0.95'"):
        thresholds.read("accuracy=1")
