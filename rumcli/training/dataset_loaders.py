"""Loaders of texts and stories, from the user's files or from a generator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from rumcli.config import BabiConfig, CharactersConfig, RunConfig, Split
from rumcli.data.splits import SPLITS
from rumcli.errors import ConfigError
from rumcli.tasks.babi import official_files, task_names
from rumcli.tasks.babi.dataset import BabiDataset, Collection
from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.babi.story import Story
from rumcli.tasks.char_lm import corpus as corpora
from rumcli.tasks.char_lm.bptt import BPTTWindows
from rumcli.tasks.char_lm.corpus import Corpus
from rumcli.tasks.char_lm.dataset import CharDataset

_LARGEST = 2**31  # word indices of a split, two bytes each
_VALIDATION_SHARE = 0.1  # last part of a training file, as in the original


def loader_for(run: RunConfig) -> DatasetLoader | None:
    """Return the dataset loader of a run; None if its task generates its own data."""
    if isinstance(run.task, CharactersConfig):
        return CharDatasetLoader(run, run.task)
    return BabiDatasetLoader(run, run.task) if isinstance(run.task, BabiConfig) else None


class DatasetLoader(Protocol):
    """Loader of the dataset that a run's configuration names.

    Attributes:
        noun: Name of the data in messages.
        is_or_are: Verb that agrees with `noun`.
        given: Path in the configuration; None if not set.
    """

    noun: ClassVar[str]
    is_or_are: ClassVar[str]
    given: str | None

    def read(self, data: str | None, split: str | None) -> Any:
        """Read the files at a path.

        Args:
            data: Path of the data; None: not set.
            split: Split to read; None: all.

        Raises:
            ConfigError: If the data is missing or invalid.
        """

    def make(self, found: Any) -> Any:
        """Create the dataset of a new run.

        Args:
            found: Data returned by `read`.

        Raises:
            ConfigError: If the data has nothing to train on.
        """

    def remembered(self, content: Any) -> Any:
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


class CharDatasetLoader:
    """Loader of the text of a character-level run."""

    noun: ClassVar[str] = "text"
    is_or_are: ClassVar[str] = "is"

    def __init__(self, run: RunConfig, task: CharactersConfig) -> None:
        self._run = run
        self._task = task
        self.given = task.data

    def read(self, data: str | None, split: str | None) -> Corpus:
        """Read all splits of a text."""
        if data is None:
            raise ConfigError(
                "--data: which text? A folder with train, valid and test files, or one file; "
                "Penn Treebank: rum gen-data ptb"
            )
        return corpora.read(Path(data))

    def make(self, found: Corpus) -> CharDataset:
        """Create the dataset of a new run."""
        return CharDataset.of(found, self._task.min_count)

    def remembered(self, content: Any) -> CharDataset:
        """Restore the dataset of an earlier run."""
        return CharDataset.from_json(content)

    def check(self, dataset: CharDataset) -> None:
        """Check that the training text, if loaded, has a window for every stream."""
        if Split.TRAIN not in dataset.classes:
            return
        train = dataset.classes[Split.TRAIN]
        windows = BPTTWindows(train, self._run.train.batch_size, self._task.bptt_steps)
        _ = windows.windows_per_epoch  # raises if the text is too short


class BabiDatasetLoader:
    """Loader of the stories of a bAbI run."""

    noun: ClassVar[str] = "stories"
    is_or_are: ClassVar[str] = "are"

    def __init__(self, run: RunConfig, task: BabiConfig) -> None:
        self._run = run
        self._task = task
        self.given = task.data

    def read(self, data: str | None, split: str | None) -> Collection:
        """Read stories, or generate them if `data` is None."""
        wanted = SPLITS if split is None else (split,)
        if data is None:
            return Collection("generated", self._generated(wanted))
        needed: tuple[str, ...] = official_files.REQUIRED
        if self._task.generate_missing_train or split == Split.TEST:
            needed = ("test",)
        found = official_files.read(Path(data), self._number, self._task.language, needed)
        source = f"{data}, {found.language}" if found.language else data
        stories: dict[str, Sequence[Story]] = dict(found.stories)
        if len(stories) == 1 and split is not None:  # a single file serves as any split
            return Collection(source, {split: next(iter(stories.values()))})
        if "test" not in stories:
            raise ConfigError(
                f"{data} has no test stories; to train takes a folder or an archive that has "
                f"{task_names.file_name(self._number, 'train')} and the like of 'test'"
            )
        if "train" not in stories:
            name = task_names.file_name(self._number, "train")
            source = f"{source}; training generated, for want of {name}"
            return Collection(source, {**self._generated(("train", "validation")), **stories})
        return Collection(source, _with_validation(stories))

    def make(self, found: Collection) -> BabiDataset:
        """Create the dataset of a new run."""
        return BabiDataset.of(found)

    def remembered(self, content: Any) -> BabiDataset:
        """Restore the dataset of an earlier run."""
        return BabiDataset.from_json(content)

    def check(self, dataset: BabiDataset) -> None:
        """Check that the questions fit into memory once padded to the longest."""
        sizes = dataset.sizes
        of_one = sizes.words
        if self._task.input_level == "sentences":
            of_one = sizes.sentences * sizes.sentence
        for split, questions in dataset.questions.items():
            if len(questions) * of_one > _LARGEST:
                raise ConfigError(
                    f"{dataset.source}: the {split} questions, each with room for the "
                    f"longest story, {of_one} words, are too many to keep; expected shorter stories"
                )

    @property
    def _number(self) -> int:
        if not isinstance(self._task.subtask, int):
            raise ConfigError("a run of all subtasks has a folder for each: qa1, qa2 and so on")
        return self._task.subtask

    def _generated(self, splits: Iterable[str]) -> dict[str, Sequence[Story]]:
        seed, number = self._run.seed, self._number
        return {
            split: list(
                story_generator.generate(
                    number, seed, split, getattr(self._task, f"{split}_examples")
                )
            )
            for split in splits
        }


def _with_validation(stories: Mapping[str, Sequence[Story]]) -> dict[str, Sequence[Story]]:
    """Split off the last training stories for validation, unless it has its own file."""
    if "validation" in stories:
        return dict(stories)
    train = stories["train"]
    kept = len(train) - max(1, round(_VALIDATION_SHARE * len(train)))
    if kept < 1:
        raise ConfigError("one training story is not enough; expected two at least")
    return {**stories, "train": train[:kept], "validation": train[kept:]}
