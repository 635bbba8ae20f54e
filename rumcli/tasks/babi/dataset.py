"""What a run of bAbI is about: questions of the three splits, their words, what must be remembered.

No Keras: what is wrong with the data is told before Keras is there. Where it comes from, and where
a run keeps what must be remembered, is in `rumcli.training`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from rumcli.data.splits import SPLITS
from rumcli.errors import ConfigError
from rumcli.tasks.babi.story import Story, to_text
from rumcli.tasks.babi.vectorize import Sizes
from rumcli.tasks.babi.vocabulary import QuestionExample, WordVocabulary, question_examples
from rumcli.tasks.dataset_metadata import BabiMetadata


@dataclass(frozen=True, eq=False)
class Collection:
    """The stories of some splits, and where they are from."""

    source: str
    stories: Mapping[str, Sequence[Story]]


@dataclass(frozen=True)
class StoriesContent:
    """What a split was: its number of questions, and the SHA-256 of its text."""

    questions: int
    sha256: str

    @classmethod
    def of(cls, stories: Sequence[Story]) -> StoriesContent:
        """Describe a split."""
        text = to_text(stories, 1)  # in the same form, whatever the subtask
        count = sum(story.questions for story in stories)
        return cls(count, hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True, eq=False)
class BabiDataset:
    """The questions of a run.

    Args:
        source: Where they are from, for people.
        words: All words and answers of all splits.
        sizes: The longest of all splits.
        majority: Share of the most frequent answer in training, in [0, 1].
        contents: What each split was.
        questions: Those of the splits that are at hand.
    """

    source: str
    words: WordVocabulary
    sizes: Sizes
    majority: float
    contents: Mapping[str, StoriesContent]
    questions: Mapping[str, list[QuestionExample]] = field(default_factory=dict)

    @classmethod
    def of(cls, collection: Collection) -> BabiDataset:
        """Make the data of a new run of a collection that has all splits."""
        stories = collection.stories
        questions = {split: list(question_examples(stories[split])) for split in SPLITS}
        everything = [asked for split in SPLITS for asked in questions[split]]
        frequent = Counter(asked.answer for asked in questions["train"]).most_common(1)[0][1]
        return cls(
            collection.source,
            WordVocabulary.of(everything),
            Sizes.of(everything),
            frequent / len(questions["train"]),
            {split: StoriesContent.of(stories[split]) for split in SPLITS},
            questions,
        )

    def changed(self, collection: Collection, splits: Iterable[str]) -> list[str]:
        """Return those of the splits that are not what they were."""
        found = {split: StoriesContent.of(collection.stories[split]) for split in splits}
        return [split for split, content in found.items() if content != self.contents[split]]

    def reading(self, collection: Collection, splits: Iterable[str]) -> BabiDataset:
        """Return the data with questions of a collection, in the words of this one.

        Stories may be longer than those of the run: no weight belongs to a place in a story.

        Raises:
            ConfigError: If there is a word or an answer that the run does not know, or a sentence
                that is longer than all of the run.
        """
        stories, source = collection.stories, collection.source
        questions = {split: list(question_examples(stories[split])) for split in splits}
        sizes = self.sizes
        for split, asked in questions.items():
            place = f"{source}, {split} stories"
            _check_known(asked, self.words, place)
            sizes = sizes.or_larger(Sizes.of(asked))
            if sizes.sentence > self.sizes.sentence:
                raise ConfigError(
                    f"{place}: a sentence has {sizes.sentence} words; the run was made for at "
                    f"most {self.sizes.sentence}"
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
        """Return all but the questions, of JSON's own types."""
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
        """Make the data, without questions, of what `to_json` gave.

        Raises:
            ConfigError: If it is something else.
        """
        try:
            found = BabiMetadata.model_validate(content)
        except (ValidationError, RecursionError) as error:
            raise ConfigError("this is not what a run remembers of its stories") from error
        return cls(
            source=found.source,
            words=WordVocabulary(tuple(found.words), tuple(found.answers)),
            sizes=Sizes(**found.sizes.model_dump()),
            majority=found.majority,
            contents={
                split: StoriesContent(**content)
                for split, content in found.splits.model_dump().items()
            },
        )


def _check_known(questions: Iterable[QuestionExample], words: WordVocabulary, place: str) -> None:
    seen: set[str] = set()
    for asked in questions:
        words.answer_number(asked.answer, place)
        seen.update(asked.question, *asked.statements)
    for word in sorted(seen):
        words.number(word, place)
