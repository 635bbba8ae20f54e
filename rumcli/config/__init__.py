"""The typed run configuration: its schema, presets, YAML files and overrides.

Read by every other part; imports none of them, and neither Keras nor TensorFlow.
"""

from rumcli.config.build import build, differences, from_file, to_yaml
from rumcli.config.schema import (
    ARUMConfig,
    CellConfig,
    CopyingConfig,
    GRUConfig,
    LSTMConfig,
    OptimizerConfig,
    RecallConfig,
    RNNConfig,
    RUMConfig,
    RunConfig,
    Split,
    TaskConfig,
    TrainConfig,
    names,
)
from rumcli.config.yaml_file import KeyPath

__all__ = [
    "ARUMConfig",
    "CellConfig",
    "CopyingConfig",
    "GRUConfig",
    "KeyPath",
    "LSTMConfig",
    "OptimizerConfig",
    "RNNConfig",
    "RUMConfig",
    "RecallConfig",
    "RunConfig",
    "Split",
    "TaskConfig",
    "TrainConfig",
    "build",
    "differences",
    "from_file",
    "names",
    "to_yaml",
]
