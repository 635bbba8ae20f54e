"""A compiled loop as a JAX function with a custom gradient."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Hashable
from typing import Any

import jax

from rumcli.cells.fused.kernel_spec import CompiledLoop, refusal
from rumcli.cells.fused.layout import COLUMNS, ROWS, Layout
from rumcli.cells.tensor import Tensor


def layout() -> Layout:
    """Return the fastest layout for the default device.

    Rows suit accelerators, on which neighboring threads sum a row. With several devices, XLA would
    gather samples stored as columns for the products after the loop.
    """
    return COLUMNS if jax.default_backend() == "cpu" and jax.device_count() == 1 else ROWS


def run(loop: CompiledLoop, spec: Hashable, weights: Any, sequence: Any) -> list[Tensor]:
    """Run a loop over a sequence, with a first-order reverse-mode gradient.

    Args:
        loop: Loop to run.
        spec: Static options of the loop.
        weights: Nested tuples of arrays; None for unused weights.
        sequence: Nested tuples of arrays `[B, ...]`, inputs first; None for unused arrays.

    Returns:
        The results of `loop.forward`.

    Raises:
        NotImplementedError: In forward mode, and if the gradient is differentiated.
    """
    try:
        return list(_run(loop, spec, weights, sequence))
    except TypeError as error:
        if "forward-mode" not in str(error):
            raise
        raise NotImplementedError(refusal("jax.jvp, jax.jacfwd")) from error


def traces() -> int:
    """Return the number of traces, and so of XLA compilations, in this process."""
    return next(copy.copy(_traces))


_traces = itertools.count()


@functools.partial(jax.jit, static_argnums=(0, 1))
@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _run(loop: CompiledLoop, spec: Hashable, weights: Any, sequence: Any) -> list[Tensor]:
    next(_traces)
    return loop.forward(spec, weights, sequence)[0]


def _forward(loop: CompiledLoop, spec: Hashable, weights: Any, sequence: Any) -> tuple[Any, Any]:
    results, residuals = _once(functools.partial(loop.forward, spec), weights, sequence)
    return results, (weights, sequence, residuals)


def _backward(loop: CompiledLoop, spec: Hashable, saved: Any, cotangents: Any) -> tuple[Any, Any]:
    weights, sequence, residuals = saved
    gradients = _once(
        functools.partial(loop.backward, spec), weights, sequence, residuals, cotangents
    )
    inputs = _once(functools.partial(loop.grad_inputs, spec), weights, sequence, gradients.rest)
    return gradients.weights, gradients.sequence._replace(inputs=inputs)


_run.__wrapped__.defvjp(_forward, _backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _once(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function, and raise if the call is differentiated."""
    return function(*arguments)


def _once_forward(function: Callable[..., Any], *arguments: Any) -> tuple[Any, None]:
    return function(*arguments), None


def _refuse(*_: Any) -> None:
    raise NotImplementedError(refusal("jax.jvp, jax.jacfwd"))


_once.defvjp(_once_forward, _refuse)
