import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.errors import ConfigError, RunError
from rumcli.training import requirements
from rumcli.training.requirements import Threshold


def only(text):
    (found,) = requirements.parse([text])
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy>=0.95", Threshold("accuracy", ">=", 0.95)),
        (" loss < 1e-3 ", Threshold("loss", "<", 1e-3)),
        ("loss<=2", Threshold("loss", "<=", 2.0)),
        ("gap_to_baseline>-1", Threshold("gap_to_baseline", ">", -1.0)),
    ],
)
def test_a_requirement_is_a_name_a_comparison_and_a_number(text, expected):
    assert only(text) == expected


@pytest.mark.parametrize(
    "text", ["", "accuracy", "accuracy=0.9", "accuracy==1", ">=1", "a b>=1", "loss<nan", "loss<x"]
)
def test_wrong_form_is_rejected_with_an_example(text):
    with pytest.raises(ConfigError, match=r"expected NAME>=NUMBER, .* as in 'accuracy>=0.95'"):
        only(text)


@given(st.text())
def test_any_text_is_a_requirement_or_raises_config_error(text):
    with contextlib.suppress(ConfigError):
        assert math.isfinite(only(text).bound)


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False),
    st.sampled_from([">=", "<=", ">", "<"]),
)
def test_requirement_follows_its_comparison(bound, value, comparison):
    expected = {
        ">=": value >= bound,
        "<=": value <= bound,
        ">": value > bound,
        "<": value < bound,
    }
    assert Threshold("loss", comparison, bound).is_met(value) is expected[comparison]


@pytest.mark.parametrize("value", [None, math.nan])
@pytest.mark.parametrize("comparison", [">=", "<=", ">", "<"])
def test_missing_number_never_meets_a_requirement(value, comparison):
    assert not Threshold("loss", comparison, 0.5).is_met(value)


def test_unknown_metric_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'accuracy'"):
        requirements.check_names(requirements.parse(["acuracy>=1"]), ["loss", "accuracy"])


def test_metrics_of_a_result_are_its_numbers():
    result = {
        "task": "copying",
        "loss": 0.5,
        "steps": 3,
        "gap_to_baseline": None,
        "beats_baseline": True,
    }
    assert requirements.metrics_in(result) == ["loss", "steps", "gap_to_baseline"]


def test_unmet_requirements_are_all_named():
    result = {"loss": 0.5, "accuracy": 0.9}
    asked = requirements.parse(["accuracy>=0.95", "loss<1", "perplexity<3"])
    found = requirements.with_verdicts(asked, result)
    assert [one["met"] for one in found["requirements"]] == [False, True, False]
    message = r"does not meet accuracy>=0.95 \(got 0.9\) and perplexity<3 \(got none\)"
    with pytest.raises(RunError, match=message):
        requirements.enforce(found)


def test_met_requirements_raise_nothing():
    found = requirements.with_verdicts(requirements.parse(["loss<1"]), {"loss": 0.5})
    requirements.enforce(found)
    assert found["requirements"] == [{"requirement": "loss<1", "value": 0.5, "met": True}]


def test_result_is_unchanged_without_requirements():
    assert requirements.with_verdicts([], {"loss": 0.5}) == {"loss": 0.5}
