"""Schema of the run configuration: model, optimizer, training and the whole."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from rumcli import parsing
from rumcli.config.cell_config import CellConfig, RUMConfig
from rumcli.field_types import (
    CUSTOM,
    LARGEST,
    Code,
    Few,
    Fraction,
    Options,
    Positive,
    Rate,
    Section,
)
from rumcli.tasks import registry

_OpenFraction = Annotated[float, Field(gt=0.0, lt=1.0)]


class ConstantSchedule(Section):
    """Constant learning rate."""

    name: Literal["constant"] = "constant"


class DropSchedule(Section):
    """Learning rate that is multiplied by `factor` once, at `decay_at`."""

    name: Literal["drop"] = "drop"
    factor: Annotated[_OpenFraction, Field(description="factor of the learning rate")] = 0.1
    decay_at: Annotated[
        _OpenFraction, Field(description="fraction of the steps before the drop")
    ] = 0.9


class CosineSchedule(Section):
    """Linear warmup of the learning rate, followed by cosine decay."""

    name: Literal["cosine"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0, le=LARGEST, description="number of warmup steps")] = 0
    final_fraction: Annotated[
        Fraction, Field(description="fraction of the learning rate at the end")
    ] = 0.0


ScheduleConfig = Annotated[
    ConstantSchedule | DropSchedule | CosineSchedule, Field(discriminator="name")
]


class _OptimizerBase(Section):
    learning_rate: Rate = 1e-3
    schedule: ScheduleConfig = ConstantSchedule()
    clip_norm: Annotated[Rate | None, Field(description="maximum global norm of the gradient")] = (
        None
    )


class RMSPropConfig(_OptimizerBase):
    """RMSProp. The defaults of TensorFlow 1 are `epsilon` 1e-10 and `initial_mean_square` 1."""

    name: Literal["rmsprop"] = "rmsprop"
    rho: Annotated[Fraction, Field(description="decay rate of the mean square")] = 0.9
    epsilon: Annotated[Rate, Field(description="constant added to the mean square")] = 1e-7
    initial_mean_square: Annotated[
        float, Field(ge=0, le=1e6, description="initial mean square of each gradient")
    ] = 0.0


class AdamConfig(_OptimizerBase):
    """Adam."""

    name: Literal["adam"] = "adam"
    beta_1: Annotated[Fraction, Field(description="decay rate of the mean gradient")] = 0.9
    beta_2: Annotated[Fraction, Field(description="decay rate of the mean square")] = 0.999


OptimizerConfig = Annotated[RMSPropConfig | AdamConfig, Field(discriminator="name")]

if TYPE_CHECKING:  # a type checker cannot evaluate the registry
    from rumcli.tasks.task_config import TaskSection as TaskConfig
else:
    _TASKS = tuple(registry.configs().values())
    TaskConfig = Annotated[Union[_TASKS], Field(discriminator="name")]  # noqa: UP007

# Values of `output_scale`: a state with time norm is scaled to length 1, or to root mean square 1
# over its units.
UNIT, RMS = "unit", "rms"

_LARGEST_SEED = 2**32 - 1


class Split(enum.StrEnum):
    """Splits of a task's dataset, which are disjoint."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


def _output_scale(value: float | str) -> float | str:
    if isinstance(value, str):
        value = parsing.name(value, (UNIT, RMS))
    if value in (UNIT, RMS) or (isinstance(value, float) and 0 < value < math.inf):
        return value
    raise ValueError(f"a finite number greater than 0, {UNIT} or {RMS}")


class ModelConfig(Section):
    """Number of recurrent layers, dropout and scale of the output layer's inputs."""

    layers: Annotated[Few, Field(description="number of stacked recurrent layers")] = 1
    dropout: Annotated[Fraction, Field(description="fraction of each layer's outputs to drop")] = (
        0.0
    )
    output_scale: Annotated[
        float | str,
        AfterValidator(_output_scale),
        Field(
            description="factor of the output layer's inputs; for a cell of H units with time "
            "norm η, unit is 1/η and rms is √H/η, for any other cell 1"
        ),
    ] = 1.0
    output_initializer: Annotated[
        Literal["input_glorot_uniform"] | None,
        Field(
            description="initializer of the output layer's kernel; the fan-in of "
            "input_glorot_uniform is the width of the first cell's inputs, as in the original; "
            "null for the task's default"
        ),
    ] = None


def _threshold(text: str | None) -> str | None:
    if text is None:
        return None
    parsing.parse_threshold(text)
    return "".join(text.split())


class CallbackConfig(Section):
    """Custom Keras callback, created by `factory(**options)`."""

    factory: Code
    options: Options = Field(default={}, description="keyword arguments of the factory")

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"{self.factory}({options})" if options else self.factory


def _with_options(value: Any) -> Any:
    return {"factory": value} if isinstance(value, str) else value


LoggerName = Literal["tensorboard", "csv", "mlflow", "wandb", "trackio"]


class TrainConfig(Section):
    """Length of the run, evaluation and checkpoint intervals, in training steps."""

    steps: Annotated[Positive, Field(description="number of training steps")] = 1000
    until: Annotated[
        str | None,
        Field(
            description="threshold of a validation that finishes the run, such as accuracy>=0.999"
        ),
        AfterValidator(_threshold),
    ] = None
    batch_size: Annotated[Positive, Field(description="number of examples per batch")] = 128
    eval_every: Annotated[Positive, Field(description="steps between evaluations")] = 100
    checkpoint_every: Annotated[Positive, Field(description="steps between checkpoints")] = 100
    keep_checkpoints: Annotated[
        int, Field(ge=2, le=LARGEST, description="number of newest checkpoints to keep")
    ] = 2
    on_non_finite: Annotated[
        Literal["stop", "skip"],
        Field(
            description="response to a non-finite loss or gradient: stop the run or skip the step"
        ),
    ] = "stop"
    max_consecutive_skips: Annotated[
        Positive, Field(description="maximum number of consecutive skips")
    ] = 10
    callbacks: list[Annotated[CallbackConfig, BeforeValidator(_with_options)]] = Field(
        default=[],
        description="Keras callbacks: package.module:Class, or a mapping of factory and options",
    )
    loggers: Annotated[
        list[LoggerName], AfterValidator(lambda names: list(dict.fromkeys(names)))
    ] = Field(default=[], description="experiment loggers, in addition to metrics.jsonl")


class RunConfig(Section):
    """Complete configuration of a run; the same configuration and seed give the same run."""

    task: TaskConfig
    cell: CellConfig = RUMConfig()
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = RMSPropConfig()
    train: TrainConfig = TrainConfig()
    seed: Annotated[int, Field(ge=0, le=_LARGEST_SEED)] = 1
    precision: Literal["float32", "float64", "mixed_bfloat16", "mixed_float16"] = "float32"

    def code(self, training: bool = True) -> list[str]:
        """Return the paths of all user-defined code that the run needs.

        Args:
            training: Whether to include the callbacks, which only training needs.
        """
        sections = (self.task, self.cell, *(self.train.callbacks if training else ()))
        return [section.factory for section in sections if hasattr(section, "factory")]


KeyPath = tuple[str, ...]

# Sections whose `name` selects one of several models.
CHOICES = ("task", "cell", "optimizer")


def names(section: str) -> list[str]:
    """Return the built-in names of a section.

    Args:
        section: `"task"`, `"cell"` or `"optimizer"`.
    """
    return [name for name in models_at((section,), {}) if name != CUSTOM]


def model_of(section: str, name: str) -> type[BaseModel]:
    """Return the model of a section by its name.

    Args:
        section: `"task"`, `"cell"` or `"optimizer"`.
        name: Name of the model.

    Raises:
        KeyError: If there is no such model.
    """
    return models_at((section,), {})[name]


def models_at(path: KeyPath, values: Any) -> dict[str, type[BaseModel]]:
    """Return the possible models of a section by name.

    Args:
        path: Key path of the section; empty for the whole configuration. An item of a list has its
            index as key.
        values: Values of the whole configuration. The names in them select the models above
            `path`.

    Returns:
        Several models, one of which is selected by the section's `name`; or a single model with
        an empty name; or no model, if there is no such section.
    """
    annotation: Any = RunConfig
    for key in path:
        if isinstance(values, list):
            annotation = _item_of(annotation)
        else:
            model = chosen(models_in(annotation), values)
            if model is None or key not in model.model_fields:
                return {}
            annotation = model.model_fields[key].annotation
        values = child(values, key)
    return models_in(annotation)


def child(values: Any, key: str) -> Any:
    """Return the value at a key of a mapping, or at an index of a list; None without one."""
    if isinstance(values, Mapping):
        return values.get(key)
    if isinstance(values, list) and key.isdecimal() and int(key) < len(values):
        return values[int(key)]
    return None


def _item_of(annotation: Any) -> Any:
    """Return the annotation of the items of a list."""
    lists = [one for one in _members(annotation) if get_origin(one) is list]
    return get_args(lists[0])[0] if lists else Any


def normalized(annotation: Any, value: Any) -> Any:
    """Return a value with names in canonical case and integral floats as integers.

    Args:
        annotation: Model, or annotation of one of its fields.
        value: Value as given. Unknown names and keys are unchanged.
    """
    if isinstance(value, Mapping):
        return _normalized_section(annotation, value)
    members = _members(annotation)
    if isinstance(value, list):
        return [normalized(_item_of(annotation), one) for one in value]
    if isinstance(value, float) and int in members and float not in members:
        return parsing.integer(value)
    if isinstance(value, str):
        literals = [text for one in members if get_origin(one) is Literal for text in get_args(one)]
        return parsing.name(value, literals)
    return value


def _normalized_section(annotation: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    models = models_in(annotation)
    if isinstance(name := values.get("name"), str):
        values = {**values, "name": parsing.name(name, models)}
    model = chosen(models, values)
    if model is None:  # a mapping of names to sections, or an unknown section
        inner = next(
            (get_args(one)[1] for one in _members(annotation) if get_origin(one) is dict), Any
        )
        return {key: normalized(inner, value) for key, value in values.items()}
    fields = model.model_fields
    return {
        key: normalized(fields[key].annotation, value) if key in fields else value
        for key, value in values.items()
    }


def _members(annotation: Any) -> list[Any]:
    """Return the types of an annotation without constraints and None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [member for one in get_args(annotation) for member in _members(one)]
    return [] if annotation is NoneType else [annotation]


def models_in(annotation: Any) -> dict[str, type[BaseModel]]:
    """Return the possible models of a field by name.

    Args:
        annotation: Annotation of the field.
    """
    members = _members(annotation)
    models = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
    return {
        model.model_fields["name"].default if "name" in model.model_fields else "": model
        for model in models
    }


def chosen(models: Mapping[str, type[BaseModel]], values: Any) -> type[BaseModel] | None:
    """Return the model that is selected by the name of a section; None without a match.

    Args:
        models: Models by name.
        values: Values of the section.
    """
    name = values.get("name") if isinstance(values, Mapping) else None
    return models.get(name if isinstance(name, str) else "") or models.get("")
