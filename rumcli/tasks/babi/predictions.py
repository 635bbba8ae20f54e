"""Predictions and attention weights of a bAbI model for each question."""

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
    """A question with the model's prediction.

    Attributes:
        asked: Question with its story and the correct answer.
        answer: Predicted answer.
        probability: Predicted probability of that answer.
        attention: Attention weights `[hops, S]` over the S statements of the story; None without
            attention.
    """

    asked: QuestionExample
    answer: str
    probability: float
    attention: np.ndarray | None


def answer(task: Babi, model: keras.Model, split: Split) -> list[Prediction]:
    """Predict the answers to all questions of a split, in dataset order."""
    found: list[Prediction] = []
    questions = iter(task.stories.questions[split])
    answers = task.stories.words.answers
    predict = task.with_attention(model)
    for number in range(task.num_batches(split)):
        inputs, _ = task.evaluation_batch(split, number)
        # The output is the logits, or the logits and the attention weights.
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
    """Compute the confusion matrix of the answers, in sparse form.

    Returns:
        One row per correct answer, sorted by decreasing frequency. The predicted answers in a row
        are sorted in the same way.
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
    """Describe up to `count` predictions: incorrect ones first, each group in dataset order."""
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
