"""What a model of bAbI answers, question by question, and what it looks at while it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import tree

from rumcli.config import Split
from rumcli.tasks.babi.task import Babi
from rumcli.tasks.babi.vocabulary import QuestionExample


@dataclass(frozen=True)
class Prediction:
    """A question with its story and the model's answer.

    Attributes:
        asked: The question.
        answer: What the model answers.
        probability: Of that answer.
        attention: `[looks, S]` for the S statements of the story; None without attention.
    """

    asked: QuestionExample
    answer: str
    probability: float
    attention: np.ndarray | None


def answer(task: Babi, model: keras.Model, split: Split) -> list[Prediction]:
    """Answer all questions of a split, in the order of the data."""
    found: list[Prediction] = []
    questions = iter(task.stories.questions[split])
    answers = task.stories.words.answers
    predict = task.with_attention(model)
    for number in range(task.num_batches(split)):
        inputs, _ = task.evaluation_batch(split, number)
        # One array, or the scores and the attention.
        scores, *looked = tree.flatten(predict.predict_on_batch(inputs))
        attention = looked[0] if looked else None
        for row, logits in enumerate(scores):
            asked = next(questions)
            chances = np.exp(logits - logits.max())
            best = int(logits.argmax())
            found.append(
                Prediction(
                    asked,
                    answers[best],
                    float(chances[best] / chances.sum()),
                    None if attention is None else attention[row][:, -len(asked.statements) :],
                )
            )
    return found


def confusion(answered: list[Prediction]) -> list[dict[str, Any]]:
    """Count the answers: for each right one that occurs, how often which one was given.

    Returns:
        The most frequent right answer first; of each, the most frequent given one first.
    """
    counts: dict[str, dict[str, int]] = {}
    for one in answered:
        row = counts.setdefault(one.asked.answer, {})
        row[one.answer] = row.get(one.answer, 0) + 1
    rows = sorted(counts.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    return [
        {
            "answer": right,
            "questions": sum(given.values()),
            "right": given.get(right, 0),
            "given": dict(sorted(given.items(), key=lambda item: (-item[1], item[0]))),
        }
        for right, given in rows
    ]


def examples(answered: list[Prediction], count: int) -> list[dict[str, Any]]:
    """Describe some questions: wrong answers first, in the order of the data."""
    wrong = [one for one in answered if one.answer != one.asked.answer]
    right = [one for one in answered if one.answer == one.asked.answer]
    return [_describe(one) for one in [*wrong, *right][:count]]


def _describe(one: Prediction) -> dict[str, Any]:
    asked = one.asked
    return {
        "story": [
            {
                "line": line,
                "text": " ".join(words),
                "supporting": line in asked.supporting,
                "attention": None
                if one.attention is None
                else [round(float(weight), 4) for weight in one.attention[:, place]],
            }
            for place, (line, words) in enumerate(zip(asked.lines, asked.statements, strict=True))
        ],
        "question": " ".join(asked.question),
        "answer": asked.answer,
        "given": one.answer,
        "probability": round(one.probability, 4),
    }
