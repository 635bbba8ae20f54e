"""Datasets of the tasks that do not generate their own data, and how a run loads them. No Keras."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol


class TaskDataset(Protocol):
    """Dataset of a run: some splits, and the metadata that is stored with the run."""

    @property
    def source(self) -> str:
        """Human-readable source of the data."""

    def changed_splits(self, data: Any, splits: Iterable[str]) -> list[str]:
        """Return the splits whose content differs from that recorded by the run.

        Args:
            data: Data returned by the loader's `read`.
            splits: Splits to compare.
        """

    def with_splits(self, data: Any, splits: Iterable[str]) -> Any:
        """Return a copy with other data in the same encoding.

        Args:
            data: Data returned by the loader's `read`.
            splits: Splits to load.

        Raises:
            ConfigError: If the data cannot be encoded.
        """

    def to_json(self) -> dict[str, Any]:
        """Return the metadata as JSON types."""


class DatasetLoader(Protocol):
    """Loader of the dataset that a run's configuration names, created with the configuration.

    Attributes:
        noun: Name of the data in messages.
        dataset: Class of the dataset.
        num_stand_in_symbols: Number of input symbols of `stand_in` if it depends on the data; else
            None.
        path: Path in the configuration; None if not set.
    """

    noun: ClassVar[str]
    dataset: ClassVar[type]
    num_stand_in_symbols: ClassVar[int | None]
    path: str | None

    def read(self, data: str | None, split: str | None) -> Any:
        """Read the files at a path.

        Args:
            data: Path of the data; None: not set.
            split: Split to read; None: all.

        Raises:
            ConfigError: If the data is missing or invalid.
        """

    def make(self, data: Any) -> Any:
        """Create the dataset of a new run.

        Args:
            data: Data returned by `read`.

        Raises:
            ConfigError: If the data is insufficient for training.
        """

    def restore(self, content: Any) -> Any:
        """Restore the dataset of an earlier run, without data, from its metadata.

        Args:
            content: Content of `vocabulary.json`.

        Raises:
            ConfigError: If the metadata is damaged.
        """

    def check(self, dataset: Any) -> None:
        """Check that a run can be trained or evaluated on a dataset.

        Raises:
            ConfigError: If the dataset is too small or too large.
        """

    def stand_in(self) -> Any:
        """Return a small synthetic dataset of realistic sizes, to build a model without data."""
