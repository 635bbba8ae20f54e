"""RUM and ARUM once more, in NumPy float64 and by the book: one sample, one step, plain matrices.

Independent of `rumcli.cells`: the rotation is the textbook form `I − aaᵀ − vvᵀ + [a v]Rθ[a v]ᵀ`.
Nothing here is meant for degenerate inputs. Source: arXiv:1710.09537, section 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ACTIVATIONS = {"relu": lambda z: np.maximum(z, 0.0), "tanh": np.tanh}


def textbook_rotation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the matrix `[H, H]` that turns the direction of `x [H]` into that of `y [H]`."""
    a = x / np.linalg.norm(x)
    b = y / np.linalg.norm(y)
    cosine = a @ b
    v = b - cosine * a
    sine = np.linalg.norm(v)
    v = v / sine
    plane = np.stack([a, v], axis=1)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.eye(x.size) - np.outer(a, a) - np.outer(v, v) + plane @ turn @ plane.T


def run(
    cell: str,
    weights: dict[str, np.ndarray],
    inputs: np.ndarray,
    initial_states: list[np.ndarray] | None = None,
    *,
    activation: str = "relu",
    time_norm: float | None = None,
    layer_norm: bool = False,
    layer_norm_order: str = "before_sigmoid",
    zoneout: float = 0.0,
    update_gate: bool = True,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Run "RUM" or "ARUM" in inference over `inputs [B, T, D]`.

    Args:
        cell: Which of the two.
        weights: By the names that the layers give them.
        inputs: `[B, T, D]`.
        initial_states: As the layers take them; None for an empty memory.
        activation: `"relu"` or `"tanh"`.
        time_norm: η, or None.
        layer_norm: Whether to normalize.
        layer_norm_order: As the layers' argument.
        zoneout: As the layers' argument.
        update_gate: As the layers' argument.

    Returns:
        The outputs `[B, T, H]` and the final states.
    """
    weights = {name: np.asarray(value, dtype="float64") for name, value in weights.items()}
    options = {"activation": activation, "time_norm": time_norm, "zoneout": zoneout}
    options |= {"layer_norm": layer_norm, "update_gate": update_gate}
    options |= {"after_sigmoid": layer_norm_order == "after_sigmoid"}
    units = weights["candidate_kernel"].shape[1]
    batch, steps, _ = inputs.shape
    outputs = np.empty((batch, steps, units))
    final_memories = np.empty((batch, units, units))
    for sample in range(batch):
        hidden, memory = np.zeros(units), np.eye(units)
        if initial_states is not None:
            hidden = initial_states[0][sample].astype("float64")
            if cell == "ARUM":
                memory = initial_states[1][sample].astype("float64").reshape(units, units)
        for time in range(steps):
            x = inputs[sample, time].astype("float64")
            hidden, memory = _step(cell, weights, x, hidden, memory, options)
            outputs[sample, time] = hidden
        final_memories[sample] = memory
    final_states = [outputs[:, -1]]
    if cell == "ARUM":
        final_states.append(final_memories.reshape(batch, units * units))
    return outputs, final_states


def _step(
    cell: str,
    weights: dict[str, np.ndarray],
    x: np.ndarray,
    hidden: np.ndarray,
    memory: np.ndarray,
    options: dict[str, Any],
) -> tuple[np.ndarray, np.ndarray]:
    units = hidden.size
    gates = np.concatenate([x, hidden]) @ weights["gate_kernel"] + weights["gate_bias"]
    target, update = gates[:units], gates[units:]
    if options["update_gate"] and (options["after_sigmoid"] or not options["layer_norm"]):
        update = _sigmoid(update)
    if options["layer_norm"]:
        gain, offset = weights["gate_gain"], weights["gate_offset"]
        target = _normalize(target, gain[:units], offset[:units])
        if options["update_gate"]:
            update = _normalize(update, gain[units:], offset[units:])
            if not options["after_sigmoid"]:
                update = _sigmoid(update)
    embedded = x @ weights["candidate_kernel"] + weights.get("candidate_bias", 0.0)
    turn = textbook_rotation(embedded, target)
    if cell == "ARUM":
        turn = memory = memory @ turn
    candidate = embedded + turn @ hidden
    if options["layer_norm"]:
        candidate = _normalize(candidate, weights["candidate_gain"], weights["candidate_offset"])
    new = ACTIVATIONS[options["activation"]](candidate)
    if options["update_gate"]:
        new = update * hidden + (1.0 - update) * new
    if options["time_norm"] is not None:
        new = options["time_norm"] * new / np.sqrt(max(new @ new, 1e-12))
    return options["zoneout"] * hidden + (1.0 - options["zoneout"]) * new, memory


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-z))


def _normalize(z: np.ndarray, gain: np.ndarray, offset: np.ndarray) -> np.ndarray:
    return (z - z.mean()) / np.sqrt(z.var() + 1e-3) * gain + offset
