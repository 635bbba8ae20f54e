"""bAbI dataset of a run: the questions of three splits, and the metadata stored with the run.

Independent of Keras, so that data errors are reported before the slow import. `rumcli.training`
locates the stories and stores the metadata in the run directory. Batches contain examples of
similar length, because the cost of a batch is that of its longest example.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from numpy.random import Generator, Philox
from pydantic import ValidationError

from rumcli.config import RunConfig, Split
from rumcli.data.splits import SPLITS
from rumcli.errors import ConfigError
from rumcli.tasks.babi import stories as babi_stories
from rumcli.tasks.babi.config import BabiConfig
from rumcli.tasks.babi.generator import story_generator
from rumcli.tasks.babi.stories import Story, to_text
from rumcli.tasks.babi.vocabulary import QuestionExample, Sizes, WordVocabulary, question_examples
from rumcli.tasks.dataset_metadata import BabiMetadata

_STREAM = 2**32  # first random stream of the shuffling, disjoint from those of the examples

_LARGEST = 2**31  # word indices of a split, two bytes each
_VALIDATION_SHARE = 0.1  # last part of a training file, as in the original
_STAND_IN = 200  # questions; enough for all words of a subtask


class BucketSampler:
    """Batches of example indices that cover the dataset epoch by epoch.

    Each epoch sorts the examples by length and shuffles the batches. A random remainder that does
    not fill a batch is dropped, a different one in each epoch.

    Args:
        lengths: Length of each example, `[N]`.
        batch_size: Batch size B. If N < B, examples are repeated.
        seed: Seed of the order.
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, seed: int) -> None:
        repeats = -(-batch_size // len(lengths))
        self._numbers = np.tile(np.arange(len(lengths)), repeats)
        self._lengths = np.tile(lengths, repeats)
        self._batch_size = batch_size
        self._seed = seed
        self._order = lru_cache(maxsize=2)(self._make_order)

    @property
    def batches(self) -> int:
        """Number of batches per epoch."""
        return len(self._numbers) // self._batch_size

    def batch(self, step: int) -> np.ndarray:
        """Return the example indices `[B]` of a training step, from 0."""
        return self._order(step // self.batches)[step % self.batches]

    def _make_order(self, number: int) -> np.ndarray:
        random = Generator(Philox(key=[self._seed, _STREAM + number]))
        chosen = random.permutation(len(self._numbers))[: self.batches * self._batch_size]
        chosen = chosen[np.argsort(self._lengths[chosen], kind="stable")]
        batches = chosen.reshape(self.batches, self._batch_size)
        return self._numbers[batches[random.permutation(self.batches)]]


@dataclass(frozen=True, eq=False)
class StoryCollection:
    """Stories by split, with their source."""

    source: str
    stories: Mapping[str, Sequence[Story]]


@dataclass(frozen=True)
class StoriesContent:
    """Fingerprint of a split: its number of questions and the SHA-256 of its text."""

    questions: int
    sha256: str

    @classmethod
    def of(cls, stories: Sequence[Story]) -> StoriesContent:
        """Compute the fingerprint of a split."""
        text = to_text(stories, 1)  # one text format for all subtasks
        count = sum(story.questions for story in stories)
        return cls(count, hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True, eq=False)
class BabiDataset:
    """The questions of a run, with their vocabulary.

    Args:
        source: Human-readable source of the stories.
        words: Words and answers of all splits.
        sizes: Maximum sizes over all splits.
        majority: Fraction of training questions with the most frequent answer, in [0, 1].
        contents: Fingerprint of each split.
        questions: Questions of the loaded splits.
    """

    source: str
    words: WordVocabulary
    sizes: Sizes
    majority: float
    contents: Mapping[str, StoriesContent]
    questions: Mapping[str, list[QuestionExample]] = field(default_factory=dict)

    @classmethod
    def of(cls, collection: StoryCollection) -> BabiDataset:
        """Create the dataset of a new run from a collection with all splits."""
        stories = collection.stories
        questions = {split: list(question_examples(stories[split])) for split in SPLITS}
        everything = [example for split in SPLITS for example in questions[split]]
        frequent = Counter(example.answer for example in questions["train"]).most_common(1)[0][1]
        return cls(
            collection.source,
            WordVocabulary.of(everything),
            Sizes.of(everything),
            frequent / len(questions["train"]),
            {split: StoriesContent.of(stories[split]) for split in SPLITS},
            questions,
        )

    def changed_splits(self, collection: StoryCollection, splits: Iterable[str]) -> list[str]:
        """Return the splits whose content differs from that recorded by the run."""
        found = {split: StoriesContent.of(collection.stories[split]) for split in splits}
        return [split for split, content in found.items() if content != self.contents[split]]

    def with_splits(self, collection: StoryCollection, splits: Iterable[str]) -> BabiDataset:
        """Return a copy with the questions of a collection, in the vocabulary of this dataset.

        Stories may be longer than those of the run: no weight depends on the position in a story.

        Args:
            collection: Stories to load.
            splits: Splits to load.

        Raises:
            ConfigError: If a word or an answer is not in the vocabulary, or a sentence is longer
                than the longest of the run.
        """
        stories, source = collection.stories, collection.source
        questions = {split: list(question_examples(stories[split])) for split in splits}
        sizes = self.sizes
        for split, example in questions.items():
            place = f"{source}, {split} stories"
            _check_vocabulary(example, self.words, place)
            sizes = sizes.or_larger(Sizes.of(example))
            if sizes.sentence > self.sizes.sentence:
                raise ConfigError(
                    f"{place}: a sentence has {sizes.sentence} words; the model accepts at most "
                    f"{self.sizes.sentence}"
                )
        contents = {split: StoriesContent.of(stories[split]) for split in questions}
        return dataclasses.replace(
            self,
            source=source,
            sizes=sizes,
            contents={**self.contents, **contents},
            questions=questions,
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything but the questions as JSON types, for `from_json`."""
        return {
            "words": list(self.words.words),
            "answers": list(self.words.answers),
            "sizes": vars(self.sizes),
            "majority": self.majority,
            "source": self.source,
            "splits": {split: vars(content) for split, content in self.contents.items()},
        }

    @classmethod
    def from_json(cls, content: Any) -> BabiDataset:
        """Create a dataset without questions from the output of `to_json`.

        Args:
            content: Parsed JSON.

        Raises:
            ConfigError: If the content is invalid.
        """
        try:
            metadata = BabiMetadata.model_validate(content)
        except (ValidationError, RecursionError) as error:
            raise ConfigError("the metadata of the stories is invalid") from error
        return cls(
            source=metadata.source,
            words=WordVocabulary(tuple(metadata.words), tuple(metadata.answers)),
            sizes=Sizes(**metadata.sizes.model_dump()),
            majority=metadata.majority,
            contents={
                split: StoriesContent(**content)
                for split, content in metadata.splits.model_dump().items()
            },
        )


class BabiDatasetLoader:
    """Loader of the stories of a bAbI run."""

    noun: ClassVar[str] = "stories"
    dataset: ClassVar[type] = BabiDataset
    num_stand_in_symbols: ClassVar[int | None] = None

    def __init__(self, run: RunConfig) -> None:
        self._run = run
        self._task = cast(BabiConfig, run.task)
        self.path = self._task.data

    def read(self, data: str | None, split: str | None) -> StoryCollection:
        """Read stories, or generate them if `data` is None."""
        requested = SPLITS if split is None else (split,)
        if data is None:
            return StoryCollection("generated", self._generated(requested))
        required: tuple[str, ...] = babi_stories.REQUIRED_SPLITS
        if self._task.generate_missing_train or split == Split.TEST:
            required = ("test",)
        found = babi_stories.read_subtask(Path(data), self._number, self._task.language, required)
        source = f"{data}, {found.language}" if found.language else data
        stories: dict[str, Sequence[Story]] = dict(found.stories)
        if len(stories) == 1 and split is not None:  # a single file serves as any split
            return StoryCollection(source, {split: next(iter(stories.values()))})
        if "test" not in stories:
            raise ConfigError(
                f"{data} has no test stories; training requires a directory or an archive with "
                f"{babi_stories.subtask_file_name(self._number, 'train')} and "
                f"{babi_stories.subtask_file_name(self._number, 'test')}"
            )
        if "train" not in stories:
            name = babi_stories.subtask_file_name(self._number, "train")
            source = f"{source}; training stories generated because {name} is missing"
            return StoryCollection(source, {**self._generated(("train", "validation")), **stories})
        return StoryCollection(source, _with_validation(stories))

    def make(self, data: StoryCollection) -> BabiDataset:
        """Create the dataset of a new run."""
        return BabiDataset.of(data)

    def restore(self, content: Any) -> BabiDataset:
        """Restore the dataset of an earlier run."""
        return BabiDataset.from_json(content)

    def check(self, dataset: BabiDataset) -> None:
        """Check that the questions fit into memory once padded to the longest."""
        sizes = dataset.sizes
        size = sizes.words
        if self._task.input_level == "sentences":
            size = sizes.sentences * sizes.sentence
        for split, questions in dataset.questions.items():
            if len(questions) * size > _LARGEST:
                raise ConfigError(
                    f"{dataset.source}: the {split} questions, each padded to {size} words, "
                    "exceed the memory limit; expected shorter stories"
                )

    def stand_in(self) -> BabiDataset:
        """Return a dataset with all words of the subtask, or of the first one."""
        number = self._task.subtask if isinstance(self._task.subtask, int) else 1
        stories = {
            split: list(story_generator.generate(number, self._run.seed, split, _STAND_IN))
            for split in SPLITS
        }
        return BabiDataset.of(StoryCollection("generated", stories))

    @property
    def _number(self) -> int:
        if not isinstance(self._task.subtask, int):
            raise ConfigError("a run of all subtasks has a directory for each: qa1, qa2 and so on")
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
    count = len(train) - max(1, round(_VALIDATION_SHARE * len(train)))
    if count < 1:
        raise ConfigError("there is only one training story; expected at least two")
    return {**stories, "train": train[:count], "validation": train[count:]}


def _check_vocabulary(
    questions: Iterable[QuestionExample], words: WordVocabulary, place: str
) -> None:
    seen: set[str] = set()
    for example in questions:
        words.answer_number(example.answer, place)
        seen.update(example.question, *example.statements)
    for word in sorted(seen):
        words.number(word, place)
