"""Summary of a text as a run would use it, for `rum data`. No Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np

from rumcli import config
from rumcli.config import RunConfig
from rumcli.data.splits import PASSAGE, SPLITS, shared_passages
from rumcli.errors import ConfigError
from rumcli.json_schemas.inputs import TextData, TextRun, TextSplit, TextSplits
from rumcli.tasks.char_lm import corpus as corpora
from rumcli.tasks.char_lm.config import CharactersConfig
from rumcli.tasks.char_lm.corpus import Corpus
from rumcli.tasks.char_lm.dataset import (
    BPTTWindows,
    CharDataset,
    CharDatasetLoader,
    Content,
    is_penn_treebank,
)


def summarize(path: Path, preset: str | None, report: Callable[[str], None]) -> TextData:
    """Summarize the text at a path, and a run on it.

    Args:
        path: Path as for `--data` of `rum train ptb`.
        preset: Name or file of the run's preset; None: preset of the task.
        report: Callback for a description of each slow step.

    Raises:
        ConfigError: If the data is missing, or the preset is not for this task.
    """
    run = config.build(preset, [], {("task", "name"): "ptb", ("task", "data"): str(path)})
    task = cast(CharactersConfig, run.task)
    corpus = CharDatasetLoader(run).read(str(path), None)
    contents = {split: Content.of(corpus, split) for split in SPLITS}
    planned, problem = None, None
    try:
        planned = _text_run(run, task, CharDataset.of(corpus, task.min_count), preset or "ptb")
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
