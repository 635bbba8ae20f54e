"""`rum rotation-check`: self-test of the rotations on this installation."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from rumcli.cli import _keras_startup, _options
from rumcli.errors import ConfigError, RunError
from rumcli.reporting import console

_DTYPES = ["float32", "float64"]
_DIMS = [2, 3, 8, 64]


def rotation_check(
    dim: Annotated[
        list[int] | None,
        _options.integer("Size H of the vectors, at least 2. May be repeated. Default: 2 3 8 64."),
    ] = None,
    batch: Annotated[int, _options.integer("Number of random vectors of each kind.")] = 64,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="float32 or float64. Default: both, where the backend computes in float64.",
            autocompletion=_options.completing(lambda: _DTYPES),
        ),
    ] = None,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Check norms, angles, gradients and degenerate inputs of the rotations.

    Exits with 1 if a check fails.
    """
    for size in dim or []:
        _options.at_least("--dim", 2, size)
    _options.at_least("--batch", 1, batch)
    if dtype is not None:
        dtype = _options.choose("--dtype", "dtype", dtype, _DTYPES)
    os.environ.setdefault("JAX_ENABLE_X64", "1")  # else JAX computes float64 in float32
    _keras_startup.start(debug)
    from rumcli.analysis.rotation_properties import CheckResult, check_rotation
    from rumcli.json_schemas.measurements import RotationCheck, RotationResult
    from rumcli.reporting import result_tables
    from rumcli.training import run_environment

    try:
        results: list[CheckResult] = []
        with console.status() as report:
            for name in [dtype] if dtype else filter(run_environment.supports_dtype, _DTYPES):
                report(f"checking rotations in {name}")
                results += check_rotation(dim or _DIMS, batch, name)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    failed = [result for result in results if not result.passed]
    if as_json:
        checks = [RotationResult.model_validate(result) for result in results]
        console.show_document(RotationCheck(passed=not failed, checks=checks))
    else:
        console.show(result_tables.checks(results))
    if failed:
        raise RunError(f"{len(failed)} of {len(results)} checks failed")
