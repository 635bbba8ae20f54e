"""Orthogonal and unitary maps with a tunable number of parameters: products of plane rotations.

Source: arXiv:1612.05231, section 3. Pure math: no Keras layers, no I/O.

A layer of rotations rotates disjoint pairs of units, each by its own angle, and leaves the other
units unchanged. It is orthogonal for any pairs and angles, costs O(H), and needs no matrix.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np
from keras import initializers, ops

from rumcli.cells import argument_validation
from rumcli.cells.ops import elementwise
from rumcli.cells.ops.rotation import computation_dtype
from rumcli.cells.tensor import Tensor

Map = Callable[[Tensor], Tensor]

PAIRINGS = ("neighbors", "fft")
NEIGHBOR_LAYERS = 2  # published default


@dataclass(frozen=True)
class Pairs:
    """Pairs of one layer of rotations: units `i` and `i + distance`.

    Args:
        distance: Distance from the first to the second unit of each pair.
        first: Indices of the first units.
    """

    distance: int
    first: tuple[int, ...]

    @property
    def second(self) -> tuple[int, ...]:
        """Indices of the second units."""
        return tuple(unit + self.distance for unit in self.first)


class GivensLayer(NamedTuple):
    """Coefficients of one layer of Givens (plane) rotations, `[H]` each.

    Unit `i` becomes `own · h_i + right · h_{i + distance} + left · h_{i − distance}`. Indices wrap
    around, but the coefficients of wrapped units are zero.
    """

    distance: int
    own: Tensor
    right: Tensor
    left: Tensor


@dataclass(frozen=True)
class PairedRotations:
    """Layers of paired units, and the orthogonal and unitary maps that angles define on them.

    `"neighbors"` has L layers. Even layers pair units (0, 1), (2, 3), …; odd layers pair (1, 2),
    (3, 4), …. A first or last unit without a partner is left unchanged.

    `"fft"` has ⌈log₂ H⌉ layers, like the butterflies of a fast Fourier transform. Each layer pairs
    units whose indices differ in one binary digit, starting with the highest. If H is not a power
    of two, units without a partner are left unchanged.

    Args:
        units: Size of the state, H, any positive integer.
        pairing: Pairing of the units, `"neighbors"` or `"fft"`.
        capacity: Number of layers L for `"neighbors"`, None for 2; must be None for `"fft"`.

    Raises:
        ValueError: If `pairing` is unknown, `units` or `capacity` is not a positive integer, or
            `capacity` is given for `"fft"`.
    """

    units: int
    pairing: str = "neighbors"
    capacity: int | None = None

    def __post_init__(self) -> None:
        if self.pairing not in PAIRINGS:
            expected = " or ".join(map(repr, PAIRINGS))
            raise ValueError(f"pairing must be {expected}, got {self.pairing!r}")
        units = argument_validation.positive_integer("units", self.units)
        capacity = argument_validation.positive_integer_or_none("capacity", self.capacity)
        object.__setattr__(self, "units", units)  # frozen dataclass
        object.__setattr__(self, "capacity", capacity)
        if capacity is not None and self.pairing == "fft":
            raise ValueError(
                f"pairing='fft' has as many layers as log₂ of the units, so that capacity must be "
                f"None, got {self.capacity!r}; capacity is for pairing='neighbors'"
            )

    @functools.cached_property
    def layers(self) -> tuple[Pairs, ...]:
        """Layers in the order of application; layers without pairs are omitted."""
        if self.pairing == "fft":
            distances = [2**digit for digit in reversed(range((self.units - 1).bit_length()))]
            found = [
                Pairs(d, tuple(i for i in range(self.units - d) if not i & d)) for d in distances
            ]
        else:
            starts = [layer % 2 for layer in range(self.capacity or NEIGHBOR_LAYERS)]
            found = [Pairs(1, tuple(range(start, self.units - 1, 2))) for start in starts]
        return tuple(layer for layer in found if layer.first)

    @property
    def pairs(self) -> int:
        """Number of pairs in all layers, equal to the number of angles of an orthogonal map."""
        return sum(len(layer.first) for layer in self.layers)

    def orthogonal(self, theta: Tensor | None) -> Map:
        """Return the orthogonal map `h → U h` defined by the given angles.

        A pair `(a, b)` becomes `(a cos θ − b sin θ, a sin θ + b cos θ)`.

        Args:
            theta: Angles θ in radians, one per pair, layer by layer. None if there are no pairs, as
                with a single unit.

        Returns:
            A map of tensors `[..., H]`, in float64 if `theta` is float64, else in float32.
        """
        rotations = [self._layer_rotation(layer, angles) for layer, angles in self._by_layer(theta)]
        return lambda h: functools.reduce(_rotate_pairs, rotations, h)

    def unitary(self, theta: Tensor | None, phi: Tensor | None, omega: Tensor) -> Map:
        """Return the unitary map `h → U h` defined by the given angles.

        A pair `(a, b)` becomes `(a cos θ − e^{iφ} b sin θ, a sin θ + e^{iφ} b cos θ)`. After the
        last layer each unit is multiplied by `e^{iω}`.

        Args:
            theta: Angles θ in radians, as for `orthogonal`.
            phi: Phases φ in radians, in the same order as `theta`.
            omega: Phases ω in radians, `[H]`.

        Returns:
            A map of tensors `[..., 2, H]` (real and imaginary parts).
        """
        rotations = [self._layer_rotation(layer, angles) for layer, angles in self._by_layer(theta)]
        phases = [
            _phase(self._spread(angles, layer.second)) for layer, angles in self._by_layer(phi)
        ]
        last = _phase(_at_full_precision(omega))

        def apply(h: Tensor) -> Tensor:
            for phase, rotation in zip(phases, rotations, strict=True):
                h = _rotate_pairs(_apply_phase(h, phase), rotation)
            return _apply_phase(h, last)

        return apply

    def _by_layer(self, angles: Tensor | None) -> list[tuple[Pairs, Tensor]]:
        found, start = [], 0
        for layer in self.layers:
            assert angles is not None
            stop = start + len(layer.first)
            found.append((layer, _at_full_precision(angles[start:stop])))
            start = stop
        return found

    def _layer_rotation(self, layer: Pairs, theta: Tensor) -> GivensLayer:
        cosine, sine = elementwise.cos(theta), elementwise.sin(theta)
        return GivensLayer(
            layer.distance,
            own=self._spread(ops.tile(cosine, 2), (*layer.first, *layer.second), other=1.0),
            right=self._spread(-sine, layer.first),
            left=self._spread(sine, layer.second),
        )

    def _spread(self, values: Tensor, units: tuple[int, ...], other: float = 0.0) -> Tensor:
        """Return a vector `[H]` with `values` at the given units and `other` elsewhere."""
        places = np.full(self.units, len(units), dtype="int32")
        places[list(units)] = np.arange(len(units))
        return ops.take(
            ops.concatenate([values, ops.full((1,), other, dtype=values.dtype)]), places
        )


def add_angles(layer: keras.layers.Layer, name: str, count: int) -> keras.Variable | None:
    """Add a weight of angles to a layer, initialized uniformly in (−π, π), as published.

    Args:
        layer: Layer that receives the weight.
        name: Name of the weight.
        count: Number of angles.

    Returns:
        The weight `[count]`, or None if `count` is zero.
    """
    if not count:
        return None
    start = initializers.RandomUniform(-math.pi, math.pi)
    # An angle in half precision would be off by up to 0.01.
    return layer.add_weight(name=name, shape=(count,), initializer=start, autocast=False)


def _at_full_precision(angles: Tensor) -> Tensor:
    angles = ops.convert_to_tensor(angles)
    return ops.cast(angles, computation_dtype(keras.backend.standardize_dtype(angles.dtype)))


def _rotate_pairs(h: Tensor, rotation: GivensLayer) -> Tensor:
    right = _roll(h, rotation.distance)
    left = _roll(h, h.shape[-1] - rotation.distance)
    return h * rotation.own + right * rotation.right + left * rotation.left


def _roll(h: Tensor, count: int) -> Tensor:
    # Swapping two blocks is, with its gradient, about twice as fast on a CPU as gathering units by
    # index or flipping pairs.
    start, rest = ops.split(h, [count], axis=-1)
    return ops.concatenate([rest, start], axis=-1)


def _phase(angles: Tensor) -> tuple[Tensor, Tensor]:
    """Return the factors of `[..., 2, H]` and of its swapped real and imaginary parts."""
    cosine, sine = elementwise.cos(angles), elementwise.sin(angles)
    return cosine, ops.stack([-sine, sine])


def _apply_phase(h: Tensor, phase: tuple[Tensor, Tensor]) -> Tensor:
    real, imaginary = ops.split(h, 2, axis=-2)
    return h * phase[0] + ops.concatenate([imaginary, real], axis=-2) * phase[1]
