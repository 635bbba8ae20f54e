import pytest

from rumcli.tasks.baseline import Baseline


@pytest.mark.parametrize(
    ("baseline", "value", "fraction", "beaten"),
    [
        (Baseline("memoryless", 0.1, 0.0), 0.1, 0.0, False),
        (Baseline("memoryless", 0.1, 0.0), 0.05, 0.5, True),
        (Baseline("memoryless", 0.1, 0.0), 0.2, -1.0, False),
        (Baseline("chance", 0.1, 1.0), 0.55, 0.5, True),
        (Baseline("chance", 0.1, 1.0), 0.05, -0.05 / 0.9, False),
        (Baseline("majority", 1.0, 1.0), 1.0, None, False),  # all answers are the same
    ],
)
def test_value_is_normalized_between_the_levels(baseline, value, fraction, beaten):
    assert baseline.fraction(value) == (fraction and pytest.approx(fraction))
    assert baseline.is_beaten(value) is beaten
