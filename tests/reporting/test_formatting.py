import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.reporting import formatting
from rumcli.tasks.baseline import Baseline

LOSS = Baseline("memoryless", value=0.1, target=0.0)
ACCURACY = Baseline("chance", value=0.1, target=1.0)


@pytest.mark.parametrize(
    ("baseline", "value", "expected"),
    [
        (LOSS, 1.0, "10.0 × memoryless"),
        (LOSS, 0.15, "50.0% above memoryless"),
        (LOSS, 0.09, "10.0% below memoryless"),
        (LOSS, 0.0, "100.0% below memoryless"),
        (ACCURACY, 0.345, "24.5 points above chance"),
        (ACCURACY, 0.05, "5.0 points below chance"),
    ],
)
def test_distance_names_the_side_of_the_baseline(baseline, value, expected):
    assert formatting.distance(baseline, value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (7260, "2 h 1 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_a_time_is_written_with_two_units(seconds, expected):
    assert formatting.duration(seconds) == expected


@given(seconds=st.floats(0, 1e8))
def test_no_unit_of_a_time_exceeds_its_maximum(seconds):
    parts = formatting.duration(seconds).split()
    numbers = dict(zip(parts[1::2], map(int, parts[::2]), strict=True))
    assert numbers.get("s", 0) < 60
    assert numbers.get("min", 0) < 60
    assert numbers.get("h", 0) < 24


def test_accuracies_are_in_percent_and_losses_are_not():
    assert formatting.value("symbol_accuracy", 0.125) == "12.5%"
    assert formatting.value("loss", 0.094521) == "0.09452"


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0.298, "0.2980"), (0.2702, "0.2702"), (1234.0, "1234"), (1e-7, "1.000e-07"), (0.0, "0.000")],
)
def test_losses_have_the_same_number_of_digits(number, expected):
    assert formatting.value("loss", number) == expected


def test_bits_per_character_have_the_published_number_of_decimals():
    assert formatting.value("bits_per_character", 1.1) == "1.100"
    assert formatting.value("bits_per_character", 12.34567) == "12.346"


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 runs"), (1, "1 run"), (2000, "2,000 runs")]
)
def test_one_item_is_singular(number, expected):
    assert formatting.counted(number, "run") == expected


@pytest.mark.parametrize(
    ("number", "whole", "expected"),
    [(0, 1, "0 of 1 run"), (1, 2, "1 of 2 runs"), (1, None, "1 run"), (2, None, "2 runs")],
)
def test_the_plural_of_a_part_is_that_of_the_whole(number, whole, expected):
    assert formatting.counted_of(number, whole, "run") == expected


def test_repeated_names_are_written_once():
    assert formatting.each_once([]) == []
    assert formatting.each_once(["a GPU", "another", "a GPU"]) == ["2 × a GPU", "another"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1.0, 8.0], "▁█"), ([3.0, 3.0], "▁▁"), ([0.5], "▁"), (range(8), "▁▂▃▄▅▆▇█")],
)
def test_sparkline_spans_the_range_of_its_values(values, expected):
    assert formatting.sparkline(list(values)) == expected


def test_sparkline_of_many_values_keeps_its_width_and_both_ends():
    line = formatting.sparkline([9.0, *[5.0] * 1000, 0.0], width=10)
    assert (len(line), line[0], line[-1]) == (10, "█", "▁")
