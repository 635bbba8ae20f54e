"""A compiled loop and what its gradient finds, on any engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

Tensor = Any


class InputGradients(NamedTuple):
    """What the backward loop finds.

    Attributes:
        weights: The cotangents of the weights, in their structure.
        sequence: Those of the sequence, in its structure; None where there are none, and for the
            inputs.
        rest: What `of_inputs` needs.
    """

    weights: Any
    sequence: Any
    rest: Any


@dataclass(frozen=True)
class CompiledLoop:
    """The functions that XLA compiles; `recipe` is what is compiled in, and must be hashable.

    Attributes:
        forward: `(recipe, weights, sequence) → (results, kept)`; each result is `[B, ...]`.
        backward: `(recipe, weights, sequence, kept, cotangents of the results) → Found`.
        of_inputs: `(recipe, weights, sequence, rest of Found) →` the cotangent of the inputs. Apart
            from `backward`, because nobody asks for that of a first layer's inputs.
        carried: `(recipe) →` how many numbers a sample carries from step to step, vectors aside.
    """

    forward: Callable[..., tuple[list[Tensor], Any]]
    backward: Callable[..., InputGradients]
    of_inputs: Callable[..., Tensor]
    carried: Callable[..., int]


def refusal(forward_mode: str) -> str:
    """Return the message for derivatives that a compiled loop does not have.

    Args:
        forward_mode: Name of the engine's function for forward mode.
    """
    return (
        "the fused implementation has neither second-order gradients nor forward-mode ones "
        f"({forward_mode}); make the layer with implementation='plain', and for forward mode on "
        "TensorFlow call it outside of tf.function"
    )
