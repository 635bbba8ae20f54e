"""`rum import-checkpoint`: import a RUM from a checkpoint of the original implementation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rumcli import backends
from rumcli.cli import _keras_startup, _options
from rumcli.errors import ConfigError
from rumcli.reporting import console

_CELLS: list[Literal["rum", "arum"]] = ["rum", "arum"]
_ACTIVATIONS = ["relu", "tanh", "sigmoid", "softsign", "linear"]


def import_checkpoint(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT",
            help="TensorFlow 1 checkpoint of the original: the common prefix of its files, as in "
            "model.ckpt, or its directory.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The .keras file to write.")] = Path("imported.keras"),
    cell: Annotated[
        str,
        typer.Option(
            help="rum for λ = 0, arum for λ = 1.",
            autocompletion=_options.completing(lambda: _CELLS),
        ),
    ] = "rum",
    norm: Annotated[
        float | None, _options.real("Time norm η > 0 of the training. Default: none.")
    ] = None,
    activation: Annotated[
        str,
        typer.Option(
            help="Activation of the training.",
            autocompletion=_options.completing(lambda: _ACTIVATIONS),
        ),
    ] = "relu",
    zoneout: Annotated[
        float,
        _options.real(
            "Probability that a unit keeps its previous value: 0.1 for 0.9 in the original."
        ),
    ] = 0.0,
    scope: Annotated[
        str | None,
        typer.Option(help="Scope of its variables, if the checkpoint has several RUMs."),
    ] = None,
    force: _options.Force = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Import the weights of a checkpoint of the original RUM, and write a RUM for use in Keras.

    A checkpoint includes sizes, gate and layer norm, but not λ, η, activation or zoneout.
    """
    from rumcli.export import tf1_weights

    cell = _options.choose("--cell", "cell", cell, _CELLS)
    activation = _options.choose("--activation", "activation", activation, _ACTIVATIONS)
    if norm is not None and not 0 < norm < float("inf"):
        raise ConfigError(f"--norm {norm}: expected a number greater than 0")
    if not 0 <= zoneout < 1:
        raise ConfigError(f"--zoneout {zoneout}: expected at least 0 and less than 1")
    if out.suffix != ".keras":
        raise ConfigError(f"--out {out}: expected a name that ends in .keras")
    console.check_new_file(out, force)
    tf1_weights.find_checkpoint(checkpoint)
    if not backends.is_installed("tensorflow"):
        raise ConfigError(
            "reading a checkpoint of TensorFlow 1 needs TensorFlow, which is not installed: "
            f"{backends.remedy('tensorflow')}"
        )
    _keras_startup.start(debug)
    from rumcli.export import tf1
    from rumcli.reporting import result_tables

    source = tf1.TF1Checkpoint(checkpoint)
    selected_scope = tf1.scope_of(source, scope)
    hyperparameters = {"time_norm": norm, "activation": activation, "zoneout": zoneout}
    try:
        document = tf1.import_cell(source, selected_scope, cell, out, **hyperparameters)
    except OSError as error:
        raise ConfigError(f"can't write {out}: {error.strerror or error}") from error
    if as_json:
        console.show_document(document)
    else:
        console.show(result_tables.imported(document))
