"""Summary of bAbI files as runs would use them, for `rum data`. No Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rumcli import config
from rumcli.config import RunConfig
from rumcli.data.splits import SPLITS
from rumcli.errors import ConfigError
from rumcli.json_schemas.inputs import StoriesData, StorySplit, StorySplits, SubtaskData
from rumcli.tasks.babi import stories as babi_stories
from rumcli.tasks.babi.config import subtask_name
from rumcli.tasks.babi.dataset import BabiDataset, BabiDatasetLoader, BucketSampler
from rumcli.tasks.babi.vocabulary import QuestionExample


def summarize(path: Path, preset: str | None, report: Callable[[str], None]) -> StoriesData | None:
    """Summarize the stories at a path, and a run on each subtask.

    Args:
        path: Path as for `--data` of `rum train babi`.
        preset: Name or file of the runs' preset; None: preset of the task.
        report: Callback for a description of each slow step.

    Returns:
        The summary; None if no file has the name of a bAbI file.

    Raises:
        ConfigError: If a file is unreadable, or the preset is not for this task.
    """
    numbers = babi_stories.subtasks_in(path)
    if not numbers:
        return None
    run = config.build(preset, [], {("task", "name"): "babi", ("task", "data"): str(path)})
    return StoriesData(
        path=str(path),
        preset=preset or "babi",
        steps=run.train.steps,
        batch_size=run.train.batch_size,
        subtasks=[_subtask(run, path, number, report) for number in numbers],
    )


def _subtask(run: RunConfig, path: Path, number: int, report: Callable[[str], None]) -> SubtaskData:
    report(f"reading subtask {number}")
    task = run.task.model_copy(update={"subtask": number})
    source = BabiDatasetLoader(run.model_copy(update={"task": task}))
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
    questions = [_identity(example) for example in stories.questions[name]]
    shares: dict[str, float | None] = {}
    for other in earlier:
        others = {_identity(example) for example in stories.questions[other]}
        shares[other] = sum(one in others for one in questions) / len(questions)
    return StorySplit(questions=len(questions), overlap=shares)


def _identity(example: QuestionExample) -> int:
    statements = tuple(map(tuple, example.statements))
    return hash((statements, tuple(example.question), example.answer))
