"""Draw `rotation.svg`: a state before and after Rotation(x̃ → r).

From the root of the repository: `python -m docs.figures.rotation`. Needs matplotlib.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patches
from matplotlib.axes import Axes

EMBEDDED, TARGET, STATE, MIRROR = "#1f77b4", "#d95f02", "#222222", "#7a7a7a"
_X, _R = 15.0, 65.0  # directions of x̃ and r within their plane, in degrees
_H = 85.0  # ... and of the projection of h
_SHADOW, _HEIGHT = 1.15, 1.0


def at(degrees: float, length: float = 1.0) -> np.ndarray:
    """Return the point of the plane in a direction, at a distance from the origin."""
    return length * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def seen(point: np.ndarray, height: float = 0.0) -> np.ndarray:
    """Project a point above the plane onto the page, viewed from the front and above."""
    return np.array([point[0] - 0.42 * point[1], 0.42 * point[1] + 0.12 * point[0] + height])


def arrow(axes: Axes, start: np.ndarray, end: np.ndarray, color: str, **style: object) -> None:
    """Draw a straight arrow."""
    options = {"arrowstyle": "-|>", "mutation_scale": 11, "lw": 1.8, "shrinkA": 0, "shrinkB": 0}
    axes.add_patch(patches.FancyArrowPatch(start, end, color=color, **{**options, **style}))


def label(axes: Axes, place: np.ndarray, text: str, color: str = STATE) -> None:
    """Write text centered at a point."""
    axes.text(*place, text, color=color, ha="center", va="center", fontsize=11)


def in_space(axes: Axes) -> None:
    """Draw h and its projection onto the plane, before and after the rotation."""
    corners = [seen(np.array(c)) for c in ((-1.1, -0.5), (1.6, -0.5), (1.6, 1.5), (-1.1, 1.5))]
    axes.add_patch(patches.Polygon(corners, color="#eef2f7", zorder=0))
    label(axes, seen(np.array([1.15, -0.3])), "plane of x̃ and r", MIRROR)
    origin = seen(at(0, 0))
    angle = _R - _X
    for degrees, color, name in ((_X, EMBEDDED, "x̃"), (_R, TARGET, "r")):
        arrow(axes, origin, seen(at(degrees, 1.45)), color)
        label(axes, seen(at(degrees, 1.6)), name, color)
    for degrees, name, width in ((_H, "h", 1.4), (_H + angle, "Rh", 2.4)):
        shadow = at(degrees, _SHADOW)
        arrow(axes, origin, seen(shadow), MIRROR, linestyle=(0, (3, 2)), lw=1.2)
        arrow(axes, seen(shadow), seen(shadow, _HEIGHT), MIRROR, linestyle=(0, (1, 2)), lw=1.2)
        arrow(axes, origin, seen(shadow, _HEIGHT), STATE, lw=width)
        label(axes, seen(shadow, _HEIGHT + 0.13), name)
    for first, radius in ((_X, 0.6), (_H, 0.8)):
        arc = np.array([seen(at(d, radius)) for d in np.linspace(first, first + angle, 30)])
        axes.plot(*arc[:-1].T, color=STATE, lw=1)
        arrow(axes, arc[-2], arc[-1], STATE, lw=1, mutation_scale=8)
        label(axes, seen(at(first + angle / 2, radius - 0.17)), "θ")
    axes.set_title("In space: the projection rotates, the height is unchanged", fontsize=10)


def in_plane(axes: Axes) -> None:
    """Draw the plane from above: two reflections are a rotation by twice their angle."""
    middle = (_X + _R) / 2
    once, twice = 2 * _X - _H, _H + _R - _X
    for degrees, color, name in (
        (_X, EMBEDDED, "a = x̃/|x̃|"),
        (_R, TARGET, "b = r/|r|"),
        (middle, MIRROR, "w"),
    ):
        line = np.array([at(degrees, -0.45), at(degrees, 1.75)])
        axes.plot(*line.T, color=color, lw=0.8, linestyle=(0, (6, 3)))
        arrow(axes, at(0, 0), at(degrees), color)
        offset = {"w": (0.1, 0.05), "b = r/|r|": (0.1, 0.12)}.get(name, (0.16, -0.14))
        label(axes, at(degrees, 1.8) + offset, name, color)
    for degrees, name, width, offset in (
        (_H + 0.0, "h", 1.4, (0.0, 0.12)),
        (once, "p", 1.4, (0.1, -0.08)),
        (twice, "Rh", 2.4, (-0.1, 0.1)),
    ):
        arrow(axes, at(0, 0), at(degrees, 1.4), STATE, lw=width)
        label(axes, at(degrees, 1.4) + np.array(offset), name)
    for start, end, radius in ((_H, once, 1.28), (once, twice, 0.55)):
        arc = np.array([at(d, radius) for d in np.linspace(start, end, 60)])
        axes.plot(*arc[:-1].T, color=STATE, lw=0.9, linestyle=(0, (2, 2)))
        arrow(axes, arc[-2], arc[-1], STATE, lw=0.9, mutation_scale=8)
    axes.set_title("In the plane: reflected across a, then across w", fontsize=10)


def figure() -> plt.Figure:
    """Draw both views side by side."""
    drawn, (left, right) = plt.subplots(1, 2, figsize=(9.4, 4.5), layout="constrained")
    in_space(left)
    in_plane(right)
    left.set(xlim=(-1.85, 1.85), ylim=(-0.75, 1.8))
    right.set(xlim=(-1.35, 2.35), ylim=(-1.3, 1.95))
    for axes in (left, right):
        axes.set_aspect("equal")
        axes.axis("off")
    return drawn


if __name__ == "__main__":
    plt.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "rum", "font.family": "sans-serif"}
    )
    figure().savefig(
        Path(__file__).parent / "rotation.svg", metadata={"Date": None, "Creator": None}
    )
