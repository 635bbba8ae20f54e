"""Documents of measurements: `rum doctor`, `rum rotation-check` and `rum bench`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from rumcli.json_schemas.base import Count, Document, Positive, Section

_Above = Annotated[float, Field(gt=0)]
_Samples = list[_Above]
_AtLeastZero = Annotated[float, Field(ge=0)]
_ACCELERATORS = "Names of accelerators, such as GPUs."


class Case(Section):
    """A benchmarked size: a cell between inputs and one linear layer."""

    name: str = Field(description="Name of the case.")
    steps: Positive = Field(description="Number of time steps, T.")
    batch: Positive = Field(description="Number of samples, B.")
    features: Positive = Field(description="Size of the cell's input, D.")
    units: Positive = Field(description="Size of the state, H.")
    classes: Positive = Field(description="Number of outputs of the linear layer.")
    return_sequences: bool = Field(
        True, description="Whether the cell returns an output at every step, or only at the last."
    )
    one_hot: bool = Field(
        True,
        description="Whether the inputs are one-hot symbols, or numbers as from an embedding.",
    )
    reference: str = Field(
        "gru",
        description="Name of a cell, or label of a subject: the fastest of these is the reference "
        "of the ratios.",
    )


class Versions(Section):
    """Versions by name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str | None]

    rum: str | None = Field(description="Version of this package.")
    python: str | None = Field(description="Version of Python.")
    keras: str | None = Field(description="Version of Keras.")
    numpy: str | None = Field(description="Version of NumPy.")


class Extra(Section):
    """An optional package."""

    extra: str = Field(description="Name of the extra, as in pip install 'rumcli[EXTRA]'.")
    package: str = Field(description="Name of the package.")
    version: str | None = Field(description="Installed version; null if it is not installed.")
    install: str = Field(description="Command that installs the extra.")


class Cores(Section):
    """Processor cores."""

    machine: Positive | None = Field(description="Number of cores of the machine.")
    usable: Positive | None = Field(description="Number of cores that this process may use.")
    quota: _Above | None = Field(
        description="CPU quota of the container, in cores; null without one."
    )


class Memory(Section):
    """Main memory, in bytes."""

    total: Count | None = Field(description="Memory of the machine.")
    limit: Count | None = Field(description="Limit of a container or process; null without one.")
    available: Count | None = Field(
        description="Memory available without swapping and within the limit."
    )


class Allocator(Section):
    """The C library's allocator."""

    keeps_freed: bool = Field(description="Whether freed memory is kept for the next step.")
    reason: str | None = Field(description="Reason why it is not kept; null if it is.")


class Threads(Section):
    """Numbers of threads of TensorFlow; 0 if TensorFlow decides."""

    intra_op: Count = Field(description="Threads within an operation.")
    inter_op: Count = Field(description="Threads between operations.")


class Backend(Section):
    """Keras's backend."""

    name: str = Field(description="Name of the backend, such as tensorflow.")
    devices: list[str] = Field(min_length=1, description="Names of the devices.")
    accelerators: list[str] = Field(description=_ACCELERATORS)
    threads: Threads | None = Field(description="Threads of TensorFlow; null elsewhere.")


class FusedLoop(Section):
    """Availability of the fused loop of a cell."""

    cell: str = Field(description="Name of the cell.")
    fused: bool = Field(description="Whether fit uses the fused loop.")
    reason: str | None = Field(description="Reason why it does not; null if it does.")


class SpeedResult(Section):
    """The speed of one cell."""

    cell: str = Field(description="Name of the cell.")
    steps_per_second: _Above = Field(
        description="Training steps per second, the median of a few samples."
    )
    spread: _AtLeastZero = Field(
        description="Interquartile range of the time, relative to the median."
    )
    first_step_seconds: _AtLeastZero = Field(
        description="Time of the first step, with compilation, in seconds."
    )


class Speed(Section):
    """Short speed test."""

    case: Case = Field(description="Measured size.")
    results: list[SpeedResult] = Field(min_length=1, description="RUM and Keras's GRU.")


class Diagnosis(Document):
    """This installation.

    Printed by rum doctor --json. If works is false, the exit code is 1.
    """

    kind: ClassVar[str] = "doctor"

    works: bool = Field(description="Whether the backend starts and trains.")
    problem: str | None = Field(description="Error; null if there is none.")
    versions: Versions = Field(
        description="Versions by name: rum, python, keras, numpy, and the package of the backend; "
        "null if it is missing."
    )
    extras: list[Extra] = Field(description="Optional packages.")
    cores: Cores = Field(description="Processor cores; null: unknown.")
    memory: Memory = Field(description="Main memory, in bytes; null: unknown.")
    allocator: Allocator = Field(description="The C library's allocator.")
    backend: Backend | None = Field(description="Keras's backend; null if it does not work.")
    fused: list[FusedLoop] | None = Field(
        description="Cells of this package; null if the backend does not work."
    )
    speed: Speed | None = Field(
        description="Short speed test; null with --no-speed, or if the backend does not work."
    )


class RotationResult(Section):
    """One property of the rotation, for one size and dtype."""

    check: str = Field(description="Property.")
    dim: int = Field(ge=2, description="Size of the vectors, H.")
    dtype: Literal["float32", "float64"] = Field(description="Dtype.")
    error: float | None = Field(description="Largest deviation; null if not finite.")
    tolerance: _Above = Field(description="Largest accepted deviation.")
    passed: bool = Field(description="Whether the error is within the tolerance.")


class RotationCheck(Document):
    """A self-test of the rotations.

    Printed by rum rotation-check --json. If passed is false, the exit code is 1.
    """

    kind: ClassVar[str] = "rotation-check"

    passed: bool = Field(description="Whether all checks passed.")
    checks: list[RotationResult] = Field(
        min_length=1, description="Results, one for each property, size and dtype."
    )


class Machine(Section):
    """The machine and its software; the backend's version has the backend's name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]

    processor: str = Field(description="Name of the processor.")
    cores: Positive | None = Field(description="Cores of the machine.")
    accelerators: list[str] = Field(description=_ACCELERATORS)
    platform: str = Field(description="Name of the platform.")
    python: str = Field(description="Version of Python.")
    backend: str = Field(description="Keras backend that was measured first.")
    keras: str = Field(description="Version of Keras.")


class BackendInfo(Section):
    """A measured backend."""

    backend: str = Field(description="Keras's backend: tensorflow, jax or torch.")
    version: str = Field(description="Version of the backend's package.")
    accelerators: list[str] = Field(description=_ACCELERATORS)


class SubjectResult(Section):
    """The training step of one subject at one size."""

    subject: str = Field(description="Cell and its implementation.")
    backend: str = Field(description="Keras backend.")
    cell: str = Field(description="Name of the cell, or of the PyTorch module, such as nn.GRU.")
    options: dict[str, Any] = Field(description="Options of the cell.")
    jit: bool | None = Field(
        description="Whether XLA compiles the whole training step; null: Keras decides."
    )
    parameters: Positive = Field(description="Number of trainable weights.")
    first_step_seconds: _AtLeastZero = Field(
        description="Time of the first step, with compilation, in seconds."
    )
    samples_seconds: _Samples = Field(
        min_length=1,
        description="Time of a training step, in seconds: one for each round; fewer on torch "
        "where steps are slow.",
    )
    median_seconds: _Above = Field(description="Their median, in seconds.")
    spread: _AtLeastZero = Field(description="Their interquartile range, relative to the median.")
    ratio: _Above = Field(description="Median relative to the reference of the same backend.")
    reference_ratio: _Above = Field(
        description="Median relative to the reference of the first backend."
    )
    peak_memory_bytes: Positive | None = Field(
        description="Largest resident size of a separate process, in bytes; null if not measured."
    )


class CaseResults(Section):
    """The subjects at one size."""

    case: Case = Field(description="Measured size.")
    reference: str = Field(description="Reference of the ratios on the first backend.")
    references: dict[str, str] = Field(
        description="Reference of the ratios on each backend, by its name."
    )
    results: list[SubjectResult] = Field(
        min_length=1, description="Subjects grouped by backend, including the references."
    )


Axis = Literal["steps", "units"]


class SeriesPoint(CaseResults):
    """The subjects at one point of a series."""

    axis: Axis = Field(description="Size that varies: T or H.")


class TrainingPace(Section):
    """The time of a step of `rum train` and of a bare step."""

    task: str = Field(description="Name of the task.")
    cell: str = Field(description="Name of the cell.")
    runs: _Samples = Field(
        description="Time of a step of rum train, in seconds: one for each round."
    )
    bare: _Samples = Field(
        description="Time of a bare step, in seconds, measured right before each."
    )
    ratio: _Above = Field(description="Median of the rounds' ratios, run to bare.")


class Benchmark(Document):
    """The time of a training step.

    Printed by rum bench --json.
    """

    kind: ClassVar[str] = "bench"

    machine: Machine = Field(description="Machine, and the package versions of the first backend.")
    backends: list[BackendInfo] = Field(
        min_length=1,
        description="Measured backends, each in its own process. The first is the reference.",
    )
    cases: list[CaseResults] = Field(description="Sizes of the tasks.")
    series: list[SeriesPoint] = Field(description="Growing sizes.")
    training: list[TrainingPace] = Field(
        description="Time of a step of rum train compared with a bare step."
    )
