"""Self-test of the rotations on this installation: the error and tolerance of each property.

`rum rotation-check` prints the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import backend, ops

from rumcli.cells.ops import rotation
from rumcli.cells.tensor import Tensor
from rumcli.training import run_environment

# Rounding error of a few dozen operations on values near 1. That of sums over H grows at most
# like √H.
_TOLERANCE = {"float32": 4e-6, "float64": 8e-15}
# A central difference with step 1e-5 in float64 is accurate to about 1e-10. The gradient is
# accurate to its dtype, and curvature increases the truncation error of the difference.
_GRADIENT_TOLERANCE = {"float32": 2e-5, "float64": 1e-7}
_DIFFERENCE_STEP = 1e-5
_GRADIENT_SAMPLES = 4
_MEMORY_STEPS = 10
_MATRIX_ENTRIES = 2**22


def gradients_of(function: Callable[..., Any], arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the gradients of a scalar function with respect to its arguments.

    Args:
        function: Function of tensors that returns a scalar tensor.
        arguments: Arrays at which to differentiate it.

    Returns:
        One gradient for each argument, in its shape.

    Raises:
        ValueError: If the backend is neither TensorFlow, JAX nor PyTorch.
    """
    name = backend.backend()
    tensors = [ops.convert_to_tensor(argument) for argument in arguments]
    if name == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        found = tape.gradient(value, tensors, unconnected_gradients="zero")
    elif name == "jax":
        import jax

        found = jax.grad(function, argnums=tuple(range(len(tensors))))(*tensors)
    elif name == "torch":
        import torch

        leaves = [tensor.detach().requires_grad_() for tensor in tensors]
        value = function(*leaves)
        found = torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True)
    else:
        raise ValueError(f"no gradients on the backend {name!r}")
    return [np.asarray(ops.convert_to_numpy(array)) for array in found]


@dataclass(frozen=True)
class CheckResult:
    """One property of the rotation, for one size and dtype.

    Attributes:
        check: Name of the property.
        dim: Size of the vectors, H.
        dtype: `"float32"` or `"float64"`.
        error: Largest deviation found.
        tolerance: Largest deviation that counts as rounding.
    """

    check: str
    dim: int
    dtype: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance; False for NaN."""
        return self.error <= self.tolerance


def check_rotation(
    dims: Sequence[int], batch: int, dtype: str, seed: int = 0
) -> Iterator[CheckResult]:
    """Check `rotate`, `rotation_operator` and the rank-two update of the associative memory.

    Args:
        dims: Sizes of the vectors, each at least 2.
        batch: Number of random vectors of each kind, at least 1.
        dtype: `"float32"` or `"float64"`.
        seed: Seed of the random vectors.

    Yields:
        One result for each size and property.

    Raises:
        ValueError: If a size is below 2, or the backend does not support `dtype`.
    """
    if any(dim < 2 for dim in dims):
        raise ValueError(f"sizes must be at least 2, got {min(dims)}")
    if not run_environment.supports_dtype(dtype):
        raise ValueError(
            f"Keras does not compute in {dtype} on {backend.backend()}; "
            f"{run_environment.float64_remedy()}"
        )
    for dim in dims:
        samples = _Samples.draw(dim, batch, dtype, seed)
        for name, check in _CHECKS.items():
            tolerance = _TOLERANCE[dtype] * max(1.0, (dim / 4) ** 0.5)
            if name.startswith("gradient"):
                tolerance = _GRADIENT_TOLERANCE[dtype]
            with np.errstate(all="ignore"):  # a broken rotation shows in the error
                error = float(check(samples))
            yield CheckResult(name, dim, dtype, error, tolerance)


@dataclass(frozen=True)
class _Samples:
    """Random vectors `[B, H]`: the rotation of `x` to `y` is applied to `h`."""

    x: np.ndarray
    y: np.ndarray
    h: np.ndarray

    @classmethod
    def draw(cls, dim: int, batch: int, dtype: str, seed: int) -> _Samples:
        random = np.random.default_rng([seed, dim])
        return cls(*random.standard_normal((3, batch, dim)).astype(dtype))

    def first(self, count: int) -> _Samples:
        return _Samples(self.x[:count], self.y[:count], self.h[:count])

    def well_apart(self) -> _Samples:
        """Return the samples in which `x` and `y` are not nearly parallel.

        For nearly parallel vectors, rounding `x` and `y` changes the plane of the rotation.
        """
        fit = np.abs(np.sum(_unit(self.x) * _unit(self.y), axis=-1)) < 0.95
        if not fit.any():
            axes = np.eye(self.x.shape[-1], dtype=self.x.dtype)
            return _Samples(axes[:1], axes[1:2], self.h[:1])
        return _Samples(self.x[fit], self.y[fit], self.h[fit])

    def with_direction(self, y: np.ndarray) -> _Samples:
        return _Samples(self.x, y.astype(self.x.dtype), self.h)


def _rotate(samples: _Samples, h: np.ndarray | None = None) -> np.ndarray:
    vectors = samples.h if h is None else h
    # Looked up in the module at each call, so that a patched `rotate` is checked.
    return _numpy(rotation.rotate(*map(ops.convert_to_tensor, (samples.x, samples.y, vectors))))


def _operator(samples: _Samples) -> np.ndarray:
    tensors = map(ops.convert_to_tensor, (samples.x, samples.y))
    return _numpy(rotation.rotation_operator(*tensors))


def _numpy(tensor: Tensor) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor), dtype="float64")


def _unit(x: np.ndarray) -> np.ndarray:
    x = x.astype("float64")
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _largest(deviation: np.ndarray) -> float:
    return float(np.max(np.abs(deviation)))


def _worst(errors: Iterable[float]) -> float:
    # Python's `max` ignores a NaN that is not the first; NumPy's returns it.
    return float(np.max(list(errors)))


def _norm_preserved(samples: _Samples) -> float:
    before = np.linalg.norm(samples.h.astype("float64"), axis=-1)
    return _largest(np.linalg.norm(_rotate(samples), axis=-1) / before - 1)


def _maps_x_to_y(samples: _Samples) -> float:
    a = _unit(samples.x).astype(samples.h.dtype)
    return _largest(_rotate(samples, a) - _unit(samples.y))


def _orthogonal(samples: _Samples) -> float:
    matrix = _columns(samples)
    return _largest(matrix.transpose(0, 2, 1) @ matrix - np.eye(samples.x.shape[-1]))


def _determinant(samples: _Samples) -> float:
    return _largest(np.linalg.det(_columns(samples)) - 1)


def _columns(samples: _Samples) -> np.ndarray:
    """Return the matrices of `rotate`, from its values at the unit vectors: `[n, H, H]`."""
    few = samples.first(_matrices(samples))
    dim = few.x.shape[-1]
    axes = np.broadcast_to(np.eye(dim, dtype=few.h.dtype)[:, None], (dim, *few.h.shape))
    return _rotate(few, np.ascontiguousarray(axes)).transpose(1, 2, 0)


def _matrices(samples: _Samples) -> int:
    """Return the number of samples whose matrices fit into memory, at least 1."""
    return max(1, _MATRIX_ENTRIES // samples.x.shape[-1] ** 2)


def _agrees_with_operator(samples: _Samples) -> float:
    few = samples.first(_matrices(samples))
    product = np.einsum("bij,bj->bi", _operator(few), few.h.astype("float64"))
    return _largest((_rotate(few) - product) / _scale(few))


def _agrees_with_textbook(samples: _Samples) -> float:
    """Compare with `I − aaᵀ − vvᵀ + [a v]Rθ[a v]ᵀ` in float64 (arXiv:1710.09537, equation 2).

    Samples with nearly parallel vectors are excluded, because the textbook form is inaccurate
    there.
    """
    samples = samples.well_apart()
    a, b, h = _unit(samples.x), _unit(samples.y), samples.h.astype("float64")
    cosine = np.sum(a * b, axis=-1, keepdims=True)
    rest = b - cosine * a
    sine = np.linalg.norm(rest, axis=-1, keepdims=True)
    v = rest / sine
    along, across = np.sum(a * h, -1, keepdims=True), np.sum(v * h, -1, keepdims=True)
    rotated = (cosine * along - sine * across) * a + (sine * along + cosine * across) * v
    expected = h - along * a - across * v + rotated
    return _largest((_rotate(samples) - expected) / _scale(samples))


def _scale(samples: _Samples) -> np.ndarray:
    return np.linalg.norm(samples.h.astype("float64"), axis=-1, keepdims=True)


def _memory(samples: _Samples) -> float:
    """Compare `_MEMORY_STEPS` rank-two updates with products of full matrices."""
    few = samples.first(_matrices(samples))
    fast = plain = np.broadcast_to(np.eye(few.x.shape[-1]), _operator(few).shape)
    for step in range(_MEMORY_STEPS):
        rotated = _Samples(np.roll(few.x, step, axis=-1), few.y, few.h)
        a = rotation.unit(ops.convert_to_tensor(rotated.x))
        w = rotation.bisector(a, rotation.unit(ops.convert_to_tensor(rotated.y)))
        left, right = rotation.rank_two_factors(a, w)
        update = np.stack([*map(_numpy, left)], -1), np.stack([*map(_numpy, right)], -2)
        fast = fast + (fast @ update[0]) @ update[1]
        plain = plain @ _operator(rotated)
    return _largest(fast - plain) / _MEMORY_STEPS


def _gradient_error(samples: _Samples) -> float:
    """Compare gradients of a linear form with central differences in float64."""
    few = samples.first(_GRADIENT_SAMPLES)
    weights = np.cos(np.arange(few.h.size)).reshape(few.h.shape)

    def form(x: Tensor, y: Tensor, h: Tensor) -> Tensor:
        return ops.sum(rotation.rotate(x, y, h) * ops.cast(weights, h.dtype), axis=-1)

    arguments = [few.x, few.y, few.h]
    found = gradients_of(lambda *parts: ops.sum(form(*parts)), arguments)
    exact = [array.astype("float64") for array in arguments]
    worst = 0.0
    for position, array in enumerate(found):
        expected = _differences(form, exact, position)
        deviation = _largest(array - expected) / max(1.0, _largest(expected))
        worst = deviation if not deviation <= worst else worst  # keeps NaN
    return worst


def _differences(
    form: Callable[..., Tensor], arguments: list[np.ndarray], position: int
) -> np.ndarray:
    """Return central differences of `form`, from `[B, H]` to `[B]`, in one argument: `[B, H]`."""
    dim = arguments[position].shape[-1]
    step = _DIFFERENCE_STEP * np.eye(dim)[:, None, :]  # one entry at a time: [H, 1, H]
    values = []
    for sign in (1, -1):
        moved = [np.broadcast_to(array, (dim, *array.shape)) for array in arguments]
        moved[position] = moved[position] + sign * step
        values.append(_numpy(form(*map(ops.convert_to_tensor, moved))))
    return ((values[0] - values[1]) / (2 * _DIFFERENCE_STEP)).T


def _degenerate_identity(samples: _Samples) -> float:
    """Check that zero and equal directions rotate by the identity."""
    zero = np.zeros_like(samples.x)
    cases = [
        samples.with_direction(zero),
        samples.with_direction(samples.x),
        samples.with_direction(samples.x * 3),
        _Samples(zero, samples.y, samples.h),
        _Samples(zero, zero, samples.h),
    ]
    return _worst(_largest((_rotate(case) - case.h) / _scale(case)) for case in cases)


def _degenerate_opposite(samples: _Samples) -> float:
    """Check that opposite directions reflect by `I − 2aaᵀ`, which still maps `x` to `y`."""
    a, h = _unit(samples.x), samples.h.astype("float64")
    expected = h - 2 * np.sum(a * h, -1, keepdims=True) * a
    opposite = samples.with_direction(-samples.x)
    return _largest((_rotate(opposite) - expected) / _scale(samples))


def _near_parallel(samples: _Samples) -> float:
    """Check that the rotation maps `x` to `y` and preserves norms for `y` near ±x."""
    step = float(np.finfo(samples.x.dtype).eps) ** 0.5
    errors = []
    for sign in (1, -1):
        for distance in (1e-2, step, step**1.5):
            near = samples.with_direction(sign * samples.x + distance * samples.y)
            errors += [_maps_x_to_y(near), _norm_preserved(near)]
    return _worst(errors)


def _magnitudes(samples: _Samples) -> float:
    """Check that the result is independent of the lengths of `x` and `y`, from 1e-20 to 1e20."""
    samples = samples.well_apart()
    expected = _rotate(samples)
    scales = [(1e-20, 1.0), (1e20, 1e-20), (1e20, 1e20)]
    cases = [_Samples(samples.x * one, samples.y * two, samples.h) for one, two in scales]
    cases = [_Samples(*(part.astype(samples.x.dtype) for part in vars(c).values())) for c in cases]
    return _worst(_largest((_rotate(case) - expected) / _scale(samples)) for case in cases)


def _degenerate_gradients(samples: _Samples) -> float:
    """Check that gradients are finite at zero, equal, opposite, tiny and huge directions."""
    few = samples.first(_GRADIENT_SAMPLES)
    x, y, h = few.x, few.y, few.h
    zero = np.zeros_like(x)
    pairs = [(zero, y), (x, zero), (zero, zero), (x, x), (x, -x), (1e-20 * x, 1e20 * y)]
    for pair in pairs:
        arguments = [array.astype(x.dtype) for array in (*pair, h)]
        found = gradients_of(lambda *parts: ops.sum(rotation.rotate(*parts)), arguments)
        if not all(np.isfinite(array).all() for array in found):
            return float("inf")
    return 0.0


_CHECKS: dict[str, Callable[[_Samples], float]] = {
    "norm preserved": _norm_preserved,
    "R a = b": _maps_x_to_y,
    "orthogonal: RᵀR = I": _orthogonal,
    "determinant 1": _determinant,
    "gradient = finite difference": _gradient_error,
    "gradient finite if degenerate": _degenerate_gradients,
    "zero or equal x, y: identity": _degenerate_identity,
    "y = −x: reflection": _degenerate_opposite,
    "y near ±x": _near_parallel,
    "independent of lengths of x, y": _magnitudes,
    "fast form = operator": _agrees_with_operator,
    "fast form = textbook form": _agrees_with_textbook,
    "memory: rank-2 = product": _memory,
}
