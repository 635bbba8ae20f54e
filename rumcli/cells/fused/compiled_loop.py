"""Backend-independent interface of a compiled loop and its gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from rumcli.cells.tensor import Tensor


class InputGradients(NamedTuple):
    """Result of the backward loop.

    Attributes:
        weights: Cotangents of the weights, in the same structure.
        sequence: Cotangents of the sequence, in the same structure. None for the inputs and for
            tensors without a cotangent.
        rest: Arguments of `CompiledLoop.of_inputs`.
    """

    weights: Any
    sequence: Any
    rest: Any


@dataclass(frozen=True)
class CompiledLoop:
    """Functions compiled by XLA. The `recipe` is a static, hashable argument.

    Attributes:
        forward: `(recipe, weights, sequence) → (results, residuals)`; each result is `[B, ...]`.
        backward: `(recipe, weights, sequence, residuals, cotangents) → InputGradients`, with the
            cotangents of the results.
        of_inputs: `(recipe, weights, sequence, rest) →` cotangent of the inputs, with `rest` from
            `InputGradients`. Separate from `backward`, because a first layer's inputs need none.
        carried: `(recipe) →` number of values per sample carried between steps, except vectors.
    """

    forward: Callable[..., tuple[list[Tensor], Any]]
    backward: Callable[..., InputGradients]
    of_inputs: Callable[..., Tensor]
    carried: Callable[..., int]


def refusal(forward_mode: str) -> str:
    """Return the error message for unsupported derivatives.

    Args:
        forward_mode: Name of the backend's forward-mode function.
    """
    return (
        "the fused implementation has neither second-order gradients nor forward-mode ones "
        f"({forward_mode}); make the layer with implementation='plain', and for forward mode on "
        "TensorFlow call it outside of tf.function"
    )
