"""Plots of inspections: their panels and contents."""

import dataclasses
import io
import warnings

import numpy as np
import pytest

from rumcli.analysis.inspection import Inspection, InspectionRequest, Landscape
from rumcli.analysis.introspection import CellTrace, ExampleTrace, LayerTrace
from rumcli.cli.inspect import VIEWS
from rumcli.config import Split
from rumcli.reporting import inspection_plot
from tests import small

STEPS, UNITS = 6, 4


def rotating(steps=STEPS):
    rng = np.random.default_rng(1)
    return CellTrace(
        "",
        norms=np.arange(1.0, steps + 1),
        angles=np.linspace(10, 60, steps),
        update_gates=rng.uniform(size=(steps, UNITS)),
        spectrum_steps=np.arange(steps),
        spectrum=np.sort(rng.uniform(0, 180, (steps, UNITS // 2)).repeat(2, axis=1)),
    )


def draw_inspection(figures, layers, views=VIEWS, losses=None, steps=STEPS):
    losses = np.arange(1.0, 10).reshape(3, 3) if losses is None else losses
    request = InspectionRequest(Split.TEST, "best", views, example=3)
    landscape = Landscape(np.array([-1.0, 0, 1]), losses, 1, 128) if "landscape" in views else None
    seen = ExampleTrace(["a", "b"] * (steps // 2), layers) if set(views) - {"landscape"} else None
    inspection = Inspection(small.run_config(), "runs/a", 20, request, seen, landscape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inspection_plot.draw(inspection, io.BytesIO(), "png")
        figures[-1].draw_without_rendering()
    return figures[-1]


def panels(figure, name):
    return [axes for axes in figure.axes if axes.get_visible() and name in axes.get_ylabel()]


def test_each_layer_is_a_column_of_its_traces(figures):
    layers = [
        LayerTrace("cell", False, [rotating()]),
        LayerTrace("cell_2", False, [CellTrace("", np.ones(STEPS)), rotating()]),
    ]
    figure = draw_inspection(figures, layers)
    counts = {name: len(panels(figure, name)) for name in ("rotation", "|h|", "gate", "memory R")}
    assert counts == {"rotation": 2, "|h|": 3, "gate": 2, "memory R": 2}
    assert len(panels(figure, "along d₂")) == 1
    (line,) = panels(figure, "rotation")[0].lines
    assert list(line.get_xdata()) == [1, 2, 3, 4, 5, 6]
    assert line.get_ydata() == pytest.approx(np.linspace(10, 60, STEPS))
    # A line for each plane, of which the spectrum has every angle twice.
    assert len(panels(figure, "memory R")[0].lines) == UNITS // 2


def test_only_requested_views_are_drawn(figures):
    figure = draw_inspection(figures, [LayerTrace("cell", False, [rotating()])], ["norm"])
    assert [axes.get_ylabel() for axes in figure.axes] == ["|h|"]
    figure = draw_inspection(figures, [], ["landscape"])
    assert len(panels(figure, "along d₂")) == 1


def test_backward_layer_is_drawn_in_the_order_of_the_example(figures):
    figure = draw_inspection(
        figures, [LayerTrace("cell_2", True, [rotating()])], ["norm", "spectrum"]
    )
    axes = panels(figure, "|h|")[0]
    assert axes.get_title() == "cell 2, backward"
    assert list(axes.lines[0].get_ydata()) == [6, 5, 4, 3, 2, 1]
    assert list(panels(figure, "memory R")[0].lines[0].get_xdata()) == [6, 5, 4, 3, 2, 1]


def test_angles_of_all_columns_have_the_same_axis(figures):
    small = dataclasses.replace(rotating(), angles=np.full(STEPS, 1.0))
    figure = draw_inspection(
        figures, [LayerTrace("a", False, [rotating()]), LayerTrace("b", False, [small])], ["angles"]
    )
    assert [axes.get_ylim() for axes in panels(figure, "rotation")] == [(0, 180)] * 2


def test_units_are_in_the_order_of_their_means(figures):
    figure = draw_inspection(figures, [LayerTrace("cell", False, [rotating()])], ["gate"])
    image = panels(figure, "gate")[0].images[0].get_array()
    assert image.shape == (UNITS, STEPS)
    assert (np.diff(image.mean(axis=1)) > 0).all()


@pytest.mark.parametrize(
    ("steps", "expected"), [(6, ["a", "b"] * 3), (60, ["a", "b"] * 30), (100, None)]
)
def test_steps_are_labeled_if_space_permits(figures, steps, expected):
    figure = draw_inspection(
        figures, [LayerTrace("cell", False, [rotating(steps)])], ["norm"], steps=steps
    )
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert (labels == expected) is (expected is not None)


@pytest.mark.parametrize(
    ("losses", "logarithmic"),
    [
        (np.linspace(1, 2, 9), False),
        (np.geomspace(1e-3, 2, 9), True),
        (np.geomspace(1e-9, 2, 9), True),
        (np.array([1, 2, np.inf, 3, 4, np.nan, 2, 2, 2]), False),
        (np.full(9, 2.3), False),
        (np.zeros(9), False),
    ],
    ids=["linear", "decades", "many decades", "not finite", "flat", "zero"],
)
def test_contour_levels_suit_the_losses(figures, losses, logarithmic):
    figure = draw_inspection(figures, [], ["landscape"], losses.reshape(3, 3))
    (bar,) = [axes for axes in figure.axes if axes.get_xlabel().startswith("loss, nats")]
    assert bar.get_xlabel().endswith("logarithmic colors") is logarithmic
    found = losses[np.isfinite(losses)]
    low, high = bar.get_xlim()
    assert low <= found.min()
    assert high >= found.max()
    assert 3 <= len(bar.get_xticks()) <= 40


@pytest.mark.parametrize("factor", [4.5, 11, 50])
def test_logarithmic_levels_show_the_shape_of_small_spans_too(figures, factor):
    losses = np.geomspace(0.367, 0.367 * factor, 9).reshape(3, 3)
    figure = draw_inspection(figures, [], ["landscape"], losses)
    filled = next(part for part in figure.axes[0].collections if hasattr(part, "levels"))
    assert 10 <= len(filled.levels) <= 22
