import pytest

from rumcli.tasks.baseline import Reference


@pytest.mark.parametrize(
    ("reference", "value", "fraction", "beaten"),
    [
        (Reference("memoryless", 0.1, 0.0), 0.1, 0.0, False),
        (Reference("memoryless", 0.1, 0.0), 0.05, 0.5, True),
        (Reference("memoryless", 0.1, 0.0), 0.2, -1.0, False),
        (Reference("chance", 0.1, 1.0), 0.55, 0.5, True),
        (Reference("chance", 0.1, 1.0), 0.05, -0.05 / 0.9, False),
        (Reference("majority", 1.0, 1.0), 1.0, None, False),  # all answers are the same
    ],
)
def test_value_is_normalized_between_the_levels(reference, value, fraction, beaten):
    assert reference.fraction(value) == (fraction and pytest.approx(fraction))
    assert reference.is_beaten(value) is beaten
