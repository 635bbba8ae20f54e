"""The typed run configuration: its schema, presets, YAML files and overrides.

Imports neither Keras nor TensorFlow. The task section is built from the table in
`rumcli.tasks.registry`.
"""

from rumcli.config.cell_config import (
    ARUMConfig,
    CellConfig,
    CustomCellConfig,
    GRUConfig,
    LSTMConfig,
    RNNConfig,
    RUMConfig,
)
from rumcli.config.loading import (
    at_length,
    build,
    changed,
    differences,
    from_file,
    from_text,
    labels,
    to_yaml,
    varying,
)
from rumcli.config.schema import (
    RMS,
    CallbackConfig,
    LoggerName,
    OptimizerConfig,
    RunConfig,
    ScheduleConfig,
    Split,
    TaskConfig,
    TrainConfig,
    names,
)
from rumcli.config.yaml_io import KeyPath

__all__ = [
    "RMS",
    "ARUMConfig",
    "CallbackConfig",
    "CellConfig",
    "CustomCellConfig",
    "GRUConfig",
    "KeyPath",
    "LSTMConfig",
    "LoggerName",
    "OptimizerConfig",
    "RNNConfig",
    "RUMConfig",
    "RunConfig",
    "ScheduleConfig",
    "Split",
    "TaskConfig",
    "TrainConfig",
    "at_length",
    "build",
    "changed",
    "differences",
    "from_file",
    "from_text",
    "labels",
    "names",
    "to_yaml",
    "varying",
]
