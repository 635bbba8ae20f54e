""""""

import io

import pytest

from rumcli.reporting import plots


def draw_curves(
    figures,
    records,
    levels,
    over="steps",
    metric="val_loss",
    tasks=("copying", "copying"),
    units=("nats", "nats"),
):
    named = [
        plots.Curve(name, task, points, unit)
        for (name, points), task, unit in zip(records.items(), tasks, units, strict=False)
    ]
    plots.draw_curves(named, levels, metric, over, io.BytesIO(), "png")
    return figures[-1].axes[0]


RECORDS = {
    "one": [{"step": 10, "seconds": 60.0, "val_loss": 2.0}, {"step": 20, "seconds": 150.0}],
    "two": [{"step": 10, "seconds": 90.0, "val_loss": 1.0}],
}


def test_each_run_is_a_line_of_its_records(figures):
    lines = draw_curves(figures, RECORDS, []).lines
    assert [line.get_label() for line in lines] == ["one", "two"]
    assert [list(line.get_xdata()) for line in lines] == [[10], [10]]
    assert [list(line.get_ydata()) for line in lines] == [[2.0], [1.0]]


def test_steps_are_whole_numbers(figures):
    points = [{"step": step, "seconds": 60.0, "val_loss": 2.0} for step in (1, 2)]
    axes = draw_curves(figures, {"one": points}, [], tasks=["copying"])
    assert all(tick == int(tick) for tick in axes.get_xticks())


def test_time_is_in_minutes(figures):
    axes = draw_curves(figures, RECORDS, [], over="time")
    assert list(axes.lines[1].get_xdata()) == [1.5]
    assert axes.get_xlabel() == "minutes"


def test_distant_baseline_is_named_without_flattening_the_curves(figures):
    levels = [plots.Level("near", 1.2), plots.Level("chance", 90.0)]
    axes = draw_curves(figures, RECORDS, levels)
    assert axes.get_ylim()[1] < 3
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["one", "two", "chance 90.00 (above)"]


def test_baselines_are_labeled_at_their_lines_without_overlap(figures):
    levels = [plots.Level("published", 1.21), plots.Level("memoryless", 1.2)]
    axes = draw_curves(figures, RECORDS, levels)
    places = {text.get_text(): text.xy[1] for text in axes.texts}
    assert places["memoryless 1.200"] == 1.2
    bottom, top = axes.get_ylim()
    assert places["published 1.210"] - 1.2 > 0.04 * (top - bottom)
    assert [line.get_ydata()[0] for line in axes.lines[2:]] == [1.21, 1.2]


@pytest.mark.parametrize(
    ("tasks", "units", "title", "quantity"),
    [
        (("copying", "copying"), ("nats", "nats"), "copying", "validation loss, nats"),
        (("recall", "parity"), ("nats", None), "recall, parity", "validation loss"),
    ],
)
def test_plot_names_task_and_unit(figures, tasks, units, title, quantity):
    axes = draw_curves(figures, RECORDS, [], tasks=tasks, units=units)
    assert (axes.get_title(), axes.get_ylabel()) == (title, quantity)


def test_accuracies_are_in_percent(figures):
    records = {
        name: [{"step": 10, "seconds": 60.0, "val_accuracy": value}]
        for name, value in (("one", 0.125), ("two", 0.3))
    }
    axes = draw_curves(figures, records, [plots.Level("chance", 0.1)], metric="val_accuracy")
    assert axes.yaxis.get_major_formatter()(0.25) in ("25%", "25.0%")
    assert [text.get_text() for text in axes.texts] == ["chance 10.0%"]


def test_dark_theme_has_light_text_on_a_transparent_background(figures):
    levels = [plots.Level("memoryless", 1.2)]
    copies = {str(number): RECORDS["one"] for number in range(7)}
    named = [plots.Curve(name, "copying", points) for name, points in copies.items()]
    plots.draw_curves(named, levels, "val_loss", "steps", io.BytesIO(), "svg", theme="dark")
    axes = figures[-1].axes[0]
    dark = {"#000000", "black", (0.0, 0.0, 0.0, 1.0)}
    assert axes.xaxis.label.get_color() not in dark
    assert [line.get_color() for line in axes.lines if line.get_color() in dark] == []
    assert axes.get_facecolor()[3] == 0.0
