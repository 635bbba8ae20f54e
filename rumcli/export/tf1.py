"""Import of a RUM from a TensorFlow 1 checkpoint of the original implementation.

`rumcli.export.tf1_weights` maps its variables to weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from rumcli import atomic_io, errors
from rumcli.cells import make
from rumcli.errors import ConfigError, RunError
from rumcli.export import model_export, tf1_weights
from rumcli.json_schemas.analysis import ImportedCell

_TOLERANCE = 1e-5
_STEPS = 20  # length of the sequences on which the outputs are compared


class TF1Checkpoint:
    """Reader of a TensorFlow 1 checkpoint that loads variables on demand.

    Args:
        path: One of its files, or their common prefix, as in `model.ckpt`.

    Raises:
        ConfigError: If the checkpoint is missing or can't be read.
    """

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        self.path = tf1_weights.find_checkpoint(path)
        try:
            self._reader = tf.train.load_checkpoint(str(self.path))
            self.names = sorted(self._reader.get_variable_to_shape_map())
        except Exception as error:  # TensorFlow raises many types
            raise ConfigError(
                f"{path}: can't read the TensorFlow checkpoint: {errors.one_line(error)}"
            ) from error

    def read(self, names: list[str]) -> dict[str, np.ndarray]:
        """Return variables by name.

        Args:
            names: Names of the variables.

        Raises:
            RunError: If a variable is damaged.
        """
        try:
            return {name: self._reader.get_tensor(name) for name in names}
        except Exception as error:
            raise RunError(f"{self.path}: {errors.one_line(error)}") from error


def scope_of(checkpoint: TF1Checkpoint, wanted: str | None) -> str:
    """Return the variable scope of the cell to import.

    Args:
        checkpoint: Checkpoint to search.
        wanted: Scope to select; None for the only one.

    Raises:
        ConfigError: If the checkpoint has no cell, several cells and no selection, or no cell in
            the selected scope.
    """
    found = tf1_weights.scopes(checkpoint.names)
    if not found:
        some = ", ".join(checkpoint.names[:5]) or "none"
        raise ConfigError(
            f"{checkpoint.path}: no RUM of the original; expected a variable that ends in "
            f"candidate/fully_connected/weights, got: {some}"
        )
    if wanted is not None and wanted not in found:
        raise ConfigError(
            f"--scope {wanted}: no RUM in this scope; expected one of: {', '.join(found)}"
        )
    if wanted is None and len(found) > 1:
        raise ConfigError(
            f"{checkpoint.path}: the checkpoint has several RUMs; select one with --scope: "
            f"{', '.join(found)}"
        )
    return found[0] if wanted is None else wanted


def import_cell(
    checkpoint: TF1Checkpoint, scope: str, cell: Literal["rum", "arum"], path: Path, **options: Any
) -> ImportedCell:
    """Write a RUM with the weights of a checkpoint, and verify the outputs of the written file.

    Nothing is written unless they agree with the outputs of the converted model.

    Args:
        checkpoint: Checkpoint of the original implementation.
        scope: Variable scope of the cell.
        cell: `"rum"` for λ = 0, `"arum"` for λ = 1.
        path: `.keras` file to write; replaced if it exists.
        **options: Options that a checkpoint does not store: `time_norm`, `activation`, `zoneout`.

    Returns:
        Description of the checkpoint's cell and of the file.

    Raises:
        RunError: If the variables are not those of a RUM, or the outputs differ.
    """
    variables = checkpoint.read(tf1_weights.variables_of(scope, checkpoint.names))
    try:
        found = tf1_weights.convert(variables, scope)
    except ValueError as error:
        raise RunError(f"{checkpoint.path}: {error}") from error
    model = _model(found, cell, options)
    with atomic_io.replacing_any(path) as aside:
        model_export.write_model(model, "keras", aside)
        difference = _difference(model, model_export.read_model("keras", aside), found.features)
        if not difference <= _TOLERANCE:  # also true for NaN
            raise RunError(
                f"the outputs of the file differ from those of the model by {difference:.1e}; "
                f"expected at most {_TOLERANCE:.0e}. Nothing was written"
            )
        size = aside.stat().st_size
    return ImportedCell(
        checkpoint=str(checkpoint.path),
        scope=scope,
        cell=cell,
        features=found.features,
        units=found.units,
        update_gate=found.update_gate,
        layer_norm=found.layer_norm,
        **options,
        variables={name: list(theirs) for name, theirs in found.names.items()},
        path=str(path),
        bytes=size,
        largest_difference=difference,
    )


def _model(found: tf1_weights.TF1Cell, cell: str, options: dict[str, Any]) -> keras.Model:
    layer = make(
        cell,
        found.units,
        return_sequences=True,
        update_gate=found.update_gate,
        layer_norm=found.layer_norm,
        layer_norm_order="after_sigmoid",
        candidate_bias=found.candidate_bias,
        dtype="float32",
        name=cell,
        **options,
    )
    inputs = keras.Input((None, found.features), name="inputs")
    model = keras.Model(inputs, layer(inputs), name=f"imported_{cell}")
    for variable in layer.trainable_variables:
        variable.assign(found.weights[variable.name])
    return model


def _difference(model: keras.Model, call: model_export.Call, features: int) -> float:
    inputs = np.random.default_rng(0).standard_normal((3, _STEPS, features), dtype="float32")
    expected = np.asarray(model.predict_on_batch(inputs), dtype="float64")
    (output,) = call({"inputs": inputs}).values()
    return float(np.abs(np.asarray(output, dtype="float64") - expected).max())
