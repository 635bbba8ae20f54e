"""The typed run configuration: its schema, presets, YAML files and overrides.

Imports neither Keras, TensorFlow nor the packages that use the configuration.
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
    TrainConfig,
    names,
)
from rumcli.config.task_config import (
    ALL,
    BabiConfig,
    CharactersConfig,
    CopyingConfig,
    CustomTaskConfig,
    RecallConfig,
    TaskConfig,
)
from rumcli.config.yaml_io import KeyPath

__all__ = [
    "ALL",
    "RMS",
    "ARUMConfig",
    "BabiConfig",
    "CallbackConfig",
    "CellConfig",
    "CharactersConfig",
    "CopyingConfig",
    "CustomCellConfig",
    "CustomTaskConfig",
    "GRUConfig",
    "KeyPath",
    "LSTMConfig",
    "LoggerName",
    "OptimizerConfig",
    "RNNConfig",
    "RUMConfig",
    "RecallConfig",
    "RunConfig",
    "ScheduleConfig",
    "Split",
    "TaskConfig",
    "TrainConfig",
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
