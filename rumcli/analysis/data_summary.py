"""Summary of texts and stories as a run would use them, without importing Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rumcli import config
from rumcli.config import BabiConfig, CharactersConfig, KeyPath, RunConfig
from rumcli.data.splits import PASSAGE, SPLITS, shared_passages
from rumcli.errors import ConfigError
from rumcli.json_schemas.inputs import (
    StoriesData,
    StorySplit,
    StorySplits,
    SubtaskData,
    TextData,
    TextRun,
    TextSplit,
    TextSplits,
)
from rumcli.tasks.babi import stories as babi_stories
from rumcli.tasks.babi.dataset import BabiDataset, BucketSampler
from rumcli.tasks.babi.stories import subtask_name
from rumcli.tasks.babi.vocabulary import QuestionExample
from rumcli.tasks.char_lm import corpus as corpora
from rumcli.tasks.char_lm.corpus import Corpus
from rumcli.tasks.char_lm.dataset import BPTTWindows, CharDataset, Content, is_penn_treebank
from rumcli.training.dataset_binding import BabiDatasetLoader, CharDatasetLoader


def summarize_data(
    path: Path, preset: str | None = None, report: Callable[[str], None] = lambda text: None
) -> TextData | StoriesData:
    """Summarize the data at a path, and a run on it.

    Args:
        path: Path as for `--data` of `rum train ptb` or `rum train babi`. Files with bAbI names
            are stories; anything else is a text.
        preset: Name or file of the run's preset; None: preset of the task.
        report: Callback for a description of each slow step.

    Returns:
        The summary of a text or of stories.

    Raises:
        ConfigError: If the data is missing, or the preset is not for this task.
    """
    report(f"reading {path}")
    numbers = babi_stories.subtasks_in(path)
    task = "babi" if numbers else "ptb"
    chosen: dict[KeyPath, Any] = {("task", "name"): task, ("task", "data"): str(path)}
    run = config.build(preset, [], chosen, {("task", "data"): "PATH"})
    if isinstance(run.task, BabiConfig):
        return StoriesData(
            path=str(path),
            preset=preset or task,
            steps=run.train.steps,
            batch_size=run.train.batch_size,
            subtasks=[_subtask(run, run.task, path, number, report) for number in numbers],
        )
    assert isinstance(run.task, CharactersConfig)
    return _text(run, run.task, path, preset or task)


def _text(run: RunConfig, task: CharactersConfig, path: Path, preset: str) -> TextData:
    corpus = CharDatasetLoader(run, task).read(str(path), None)
    contents = {split: Content.of(corpus, split) for split in SPLITS}
    planned, problem = None, None
    try:
        planned = _text_run(run, task, CharDataset.of(corpus, task.min_count), preset)
    except ConfigError as error:
        problem = str(error)
    return TextData(
        path=str(path),
        splits=TextSplits(
            **{
                split: _text_split(corpus, split, contents[split], SPLITS[:number])
                for number, split in enumerate(SPLITS)
            }
        ),
        passage_bytes=PASSAGE,
        penn_treebank=is_penn_treebank(contents),
        run=planned,
        problem=problem,
    )


def _text_split(corpus: Corpus, name: str, content: Content, earlier: Sequence[str]) -> TextSplit:
    text = corpus.split(name)
    counts, known = corpora.counts_of(text, 256), corpora.counts_of(corpus.train, 256)
    unknown = np.flatnonzero((counts > 0) & (known == 0))
    return TextSplit(
        bytes=content.size,
        sha256=content.sha256,
        symbols=int(np.count_nonzero(counts)),
        entropy=corpora.unigram_entropy(text, 256),
        unknown=int(counts[unknown].sum()),
        unknown_symbols=unknown.tolist(),
        overlap={other: shared_passages(text, corpus.split(other)) for other in earlier},
    )


def _text_run(run: RunConfig, task: CharactersConfig, text: CharDataset, preset: str) -> TextRun:
    windows = BPTTWindows(text.classes["train"], run.train.batch_size, task.bptt_steps)
    return TextRun(
        preset=preset,
        classes=text.vocabulary.size,
        unknown_class=text.vocabulary.has_unknown,
        batch_size=run.train.batch_size,
        bptt_steps=task.bptt_steps,
        windows_per_epoch=windows.windows_per_epoch,
        steps=run.train.steps,
        epochs=run.train.steps / windows.windows_per_epoch,
    )


def _subtask(
    run: RunConfig, task: BabiConfig, path: Path, number: int, report: Callable[[str], None]
) -> SubtaskData:
    report(f"reading subtask {number}")
    source = BabiDatasetLoader(run, task.model_copy(update={"subtask": number}))
    common: dict[str, Any] = {"subtask": number, "name": subtask_name(number)}
    try:
        stories = source.make(source.read(str(path), None))
        source.check(stories)
    except ConfigError as error:
        return SubtaskData(
            **common,
            source=None,
            splits=None,
            words=None,
            answers=None,
            longest_story=None,
            majority=None,
            steps_per_epoch=None,
            problem=str(error),
        )
    lengths = np.ones(len(stories.questions["train"]))
    return SubtaskData(
        **common,
        source=stories.source,
        splits=StorySplits(
            **{
                split: _story_split(stories, split, SPLITS[:number])
                for number, split in enumerate(SPLITS)
            }
        ),
        words=len(stories.words.words),
        answers=len(stories.words.answers),
        longest_story=stories.sizes.sentences,
        majority=stories.majority,
        steps_per_epoch=BucketSampler(lengths, run.train.batch_size, run.seed).batches,
        problem=None,
    )


def _story_split(stories: BabiDataset, name: str, earlier: Sequence[str]) -> StorySplit:
    questions = [_identity(asked) for asked in stories.questions[name]]
    shares: dict[str, float | None] = {}
    for other in earlier:
        known = {_identity(asked) for asked in stories.questions[other]}
        shares[other] = sum(one in known for one in questions) / len(questions)
    return StorySplit(questions=len(questions), overlap=shares)


def _identity(asked: QuestionExample) -> int:
    statements = tuple(map(tuple, asked.statements))
    return hash((statements, tuple(asked.question), asked.answer))
