"""EUNN and GORU once more, in NumPy and by the book: plain matrices, complex numbers.

Independent of `rumcli.cells`. Source: arXiv:1612.05231 and arXiv:1706.02761.
"""

from __future__ import annotations

import math

import numpy as np

EPSILON = 1e-5  # of modReLU


def paired_rotations(
    units: int,
    pairing: str,
    capacity: int | None,
    theta: np.ndarray | None,
    phi: np.ndarray | None = None,
    omega: np.ndarray | None = None,
) -> np.ndarray:
    """Return U `[H, H]`, for column vectors: orthogonal, or unitary if there are φ and ω."""
    matrix = np.eye(units, dtype=complex)
    number = 0
    for distance, start in _layers(units, pairing, capacity):
        for first in range(start, units - distance):
            is_first = (first - start) % (2 * distance) < distance
            if not is_first:
                continue
            second = first + distance
            phase = 1.0 if phi is None else np.exp(1j * phi[number])
            cosine, sine = np.cos(theta[number]), np.sin(theta[number])
            turn = np.eye(units, dtype=complex)
            turn[first, first], turn[first, second] = cosine, -sine * phase
            turn[second, first], turn[second, second] = sine, cosine * phase
            matrix = turn @ matrix
            number += 1
    if omega is not None:
        return np.diag(np.exp(1j * omega)) @ matrix
    return matrix.real


def _layers(units: int, pairing: str, capacity: int | None) -> list[tuple[int, int]]:
    """Return the distance within the pairs, and the first unit that has a partner."""
    if pairing == "fft":
        count = math.ceil(math.log2(units))
        return [(2 ** (count - 1 - layer), 0) for layer in range(count)]
    return [(1, layer % 2) for layer in range(capacity or 2)]


def modrelu(z: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return modReLU of real or complex numbers `[..., H]`."""
    magnitude = np.abs(z)
    direction = z / (magnitude + EPSILON) if np.iscomplexobj(z) else np.sign(z)
    return direction * np.maximum(magnitude + EPSILON + bias, 0.0)


def eunn(
    matrix: np.ndarray, weights: dict[str, np.ndarray], inputs: np.ndarray, state: np.ndarray
) -> np.ndarray:
    """Return the states of all steps `[B, T, H]`, real or complex as `matrix` and `state` are."""
    units = matrix.shape[0]
    kernel = weights["kernel"]
    if kernel.shape[1] == 2 * units:
        kernel = kernel[:, :units] + 1j * kernel[:, units:]
    states = []
    for x in np.swapaxes(inputs, 0, 1):
        state = modrelu(state @ matrix.T + x @ kernel, weights["bias"])
        states.append(state)
    return np.stack(states, axis=1)


def goru(
    matrix: np.ndarray, weights: dict[str, np.ndarray], inputs: np.ndarray, state: np.ndarray
) -> np.ndarray:
    """Return the states of all steps `[B, T, H]`."""
    of_candidate, of_reset, of_update = np.split(weights["kernel"], 3, axis=1)
    state_reset, state_update = np.split(weights["recurrent_kernel"], 2, axis=1)
    states = []
    for x in np.swapaxes(inputs, 0, 1):
        reset = _sigmoid(x @ of_reset + state @ state_reset + weights["reset_bias"])
        update = _sigmoid(x @ of_update + state @ state_update + weights["update_bias"])
        candidate = modrelu(
            reset * (state @ matrix.T) + x @ of_candidate, weights["candidate_bias"]
        )
        state = update * state + (1.0 - update) * candidate
        states.append(state)
    return np.stack(states, axis=1)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-z))
