"""Binding between a run and its dataset of text or stories, from the user's files or a generator.

`vocabulary.json` in the run directory records the classes and the identity of each split, so that
a run never continues on another dataset. No Keras here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from rumcli import errors
from rumcli.config import BabiConfig, CharactersConfig, RunConfig, Split
from rumcli.data.splits import SPLITS
from rumcli.errors import ConfigError, Metavar, RunError
from rumcli.tasks.babi import stories as babi_stories
from rumcli.tasks.babi.dataset import BabiDataset, StoryCollection
from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.babi.stories import Story
from rumcli.tasks.char_lm import corpus as corpora
from rumcli.tasks.char_lm.corpus import Corpus
from rumcli.tasks.char_lm.dataset import BPTTWindows, CharDataset
from rumcli.tasks.task_dataset import TaskDataset
from rumcli.training.run_dir import RunDir

_LARGEST = 2**31  # word indices of a split, two bytes each
_VALIDATION_SHARE = 0.1  # last part of a training file, as in the original

NAME = "vocabulary.json"


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
                f"{errors.option('--data')}: which text? A folder with train, valid and test "
                "files, or one file; Penn Treebank: rum gen-data ptb"
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

    def read(self, data: str | None, split: str | None) -> StoryCollection:
        """Read stories, or generate them if `data` is None."""
        wanted = SPLITS if split is None else (split,)
        if data is None:
            return StoryCollection("generated", self._generated(wanted))
        needed: tuple[str, ...] = babi_stories.REQUIRED
        if self._task.generate_missing_train or split == Split.TEST:
            needed = ("test",)
        found = babi_stories.read_subtask(Path(data), self._number, self._task.language, needed)
        source = f"{data}, {found.language}" if found.language else data
        stories: dict[str, Sequence[Story]] = dict(found.stories)
        if len(stories) == 1 and split is not None:  # a single file serves as any split
            return StoryCollection(source, {split: next(iter(stories.values()))})
        if "test" not in stories:
            raise ConfigError(
                f"{data} has no test stories; to train takes a folder or an archive that has "
                f"{babi_stories.subtask_file_name(self._number, 'train')} and the like of 'test'"
            )
        if "train" not in stories:
            name = babi_stories.subtask_file_name(self._number, "train")
            source = f"{source}; training generated, for want of {name}"
            return StoryCollection(source, {**self._generated(("train", "validation")), **stories})
        return StoryCollection(source, _with_validation(stories))

    def make(self, found: StoryCollection) -> BabiDataset:
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


def for_training(run: RunConfig, folder: RunDir | None) -> TaskDataset | None:
    """Load the training dataset of a run.

    Args:
        run: Configuration of the run.
        folder: Run directory; None if the run is new.

    Returns:
        The dataset; None if the task generates its own data.

    Raises:
        ConfigError: If the data is missing, unreadable, too short, or not that of the run.
        RunError: If the dataset metadata in the run directory is missing or damaged.
    """
    source = loader_for(run)
    if source is None:
        return None
    remembered = _remembered(source, folder) if folder and _has_begun(folder) else None
    found = _read(source, source.given, has_moved=remembered is not None)
    if remembered is None:
        dataset = source.make(found)
    else:
        _check_going_on(source, remembered, found)
        dataset = remembered.reading(found, SPLITS)
    source.check(dataset)
    return dataset


def check_going_on(run: RunConfig, folders: Iterable[RunDir]) -> None:
    """Check that runs resume with their original dataset, which is read only once.

    Args:
        run: Configuration with the path of the data.
        folders: Run directories with the same task and seed. Those that have not started, or whose
            metadata is missing or damaged, are skipped.

    Raises:
        ConfigError: If the data is missing, unreadable, or not that of one of the runs.
    """
    source, begun = (
        loader_for(run),
        [folder for folder in folders if _has_begun(folder)],
    )
    if source is None or not begun:
        return
    found = _read(source, source.given, has_moved=True)
    for folder in begun:
        try:
            remembered = _remembered(source, folder)
        except RunError:  # reported when that run is resumed
            continue
        try:
            _check_going_on(source, remembered, found)
        except ConfigError as error:
            raise ConfigError(f"{folder.path}: {error}") from error


def for_evaluation(folder: RunDir, split: Split, data: Path | None = None) -> TaskDataset | None:
    """Load the split on which a run is evaluated.

    Args:
        folder: Run directory.
        split: `"validation"` or `"test"`.
        data: Path that replaces the one in the configuration; its content may differ from the
            run's dataset.

    Returns:
        The dataset; None if the task generates its own data.

    Raises:
        ConfigError: As in `for_training`, or if `data` is set and the task takes none.
        RunError: As in `for_training`.
    """
    run = folder.config
    source = loader_for(run)
    if source is None:
        if data is not None:
            where = errors.option("--data", data)
            raise ConfigError(f"{where}: {folder.path} is of '{run.task.name}', without text")
        return None
    remembered = _remembered(source, folder)
    found = _read(source, str(data) if data else source.given, data is None, split)
    if data is None:
        hint = f"{errors.option('--data', found.source)} evaluates it all the same"
        _check(source, remembered, found, [split], hint)
    dataset = remembered.reading(found, [split])
    source.check(dataset)
    return dataset


def text_of(folder: RunDir) -> CharDataset:
    """Restore the text metadata of a run without reading the text.

    Args:
        folder: Run directory.

    Returns:
        The dataset, without the content of its splits.

    Raises:
        ConfigError: If the task of the run has no text.
        RunError: If the metadata is missing or damaged.
    """
    source = loader_for(folder.config)
    if not isinstance(source, CharDatasetLoader):
        name = folder.config.task.name
        raise ConfigError(
            f"{folder.path} is a run of '{name}'; only runs of 'ptb' can write a text"
        )
    return _remembered(source, folder)


def write_metadata(dataset: TaskDataset | None, folder: RunDir) -> None:
    """Write the metadata of a dataset to the run directory; do nothing for None."""
    if dataset is not None:
        folder.write_json(NAME, dataset.to_json())


def _has_begun(folder: RunDir) -> bool:
    return (folder.path / NAME).exists() or bool(folder.checkpoints.numbered())


def _remembered(source: DatasetLoader, folder: RunDir) -> Any:
    path = folder.path / NAME
    if not path.exists():
        raise RunError(f"{path} is missing; without it the weights of the run have no meaning")
    try:
        return source.remembered(folder.read_json(NAME))
    except ConfigError as error:
        raise RunError(f"{path} is damaged: {error}") from error


def _read(
    source: DatasetLoader, data: str | None, has_moved: bool, split: str | None = None
) -> Any:
    try:
        return source.read(data, split)
    except ConfigError as error:
        where = errors.option("--data", Metavar("PATH"))
        hint = f"; if it has moved: {where}" if has_moved and data else ""
        raise ConfigError(f"{error}{hint}") from error


def _check_going_on(source: DatasetLoader, remembered: Any, found: Any) -> None:
    hint = f"a run resumes with the {source.noun} that it began with"
    _check(source, remembered, found, SPLITS, hint)


def _check(
    source: DatasetLoader, dataset: Any, found: Any, splits: Iterable[str], hint: str
) -> None:
    changed = dataset.changed(found, splits)
    if changed:
        *others, last = changed
        named = f"{', '.join(others)} and {last}" if others else last
        verb = source.is_or_are
        raise ConfigError(
            f"{found.source}: the {named} {source.noun} {verb} not that of the run; {hint}"
        )
