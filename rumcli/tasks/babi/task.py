"""bAbI subtasks: one answer to a question about a story, and the predictions of a trained model.

Word level, as in arXiv:1710.09537, section 4.3: the input is the words of the story, followed by
those of the question.

Sentence level: each sentence is embedded as a vector. Recurrent layers, alternately forward and
backward, read the sentences together with a question vector. The first layer receives the question
itself, and each further layer a projection of the output below. The question then attends over
the outputs of the last layer and the sentence vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import keras
import numpy as np
from keras import ops, tree

from rumcli.config import RunConfig, Split
from rumcli.models.builders import apply_layers, compile_model, dropout, logits, numbered, recurrent
from rumcli.models.encoders import Attention, OneHotEmbedding, QuestionEncoder, SentenceEncoder
from rumcli.models.rnn_wrappers import BucketedRNN, bucket_lengths
from rumcli.tasks.babi import vocabulary
from rumcli.tasks.babi.config import BabiConfig, subtask_name
from rumcli.tasks.babi.dataset import BabiDataset, BucketSampler
from rumcli.tasks.babi.vocabulary import QuestionExample
from rumcli.tasks.base import Batch, Task
from rumcli.tasks.baseline import Baseline

_EVALUATION_BATCH = 100
_ATTENTION = "attention"


class Babi(Task):
    """A bAbI subtask. The loss is the cross-entropy of the answer, in nats.

    Args:
        config: Configuration of the run.
        stories: Dataset. Without questions, the task has a model but no batches.
    """

    metric = "accuracy"
    monitor = "accuracy"
    sample_unit = "questions"

    def __init__(self, config: RunConfig, stories: BabiDataset) -> None:
        super().__init__(config)
        self.stories = stories
        self._inputs = {split: self._arrays(split) for split in stories.questions}
        self._answers = {
            split: vocabulary.answers(examples, stories.words, stories.source)
            for split, examples in stories.questions.items()
        }
        if Split.TRAIN in self._inputs:
            sizes = self._sizes(Split.TRAIN)
            self._sampler = BucketSampler(sizes, config.train.batch_size, config.seed)

    @property
    def baseline(self) -> Baseline:
        """Accuracy of always predicting the most frequent training answer, with target 1."""
        return Baseline("majority", value=self.stories.majority, target=1.0)

    @property
    def summary_fields(self) -> dict[str, Any]:
        """Number and name of the subtask, and its input level: words or sentences."""
        number = cast(int, self._task.subtask)
        return {
            "subtask": number,
            "subtask_name": subtask_name(number),
            "input_level": self._task.input_level,
        }

    @property
    def class_names(self) -> Sequence[str]:
        """Answers of the subtask."""
        return self.stories.words.answers

    @property
    def source(self) -> str:
        """Source of the stories."""
        return self.stories.source

    @property
    def steps_per_epoch(self) -> int:
        """Number of training batches per epoch."""
        return self._sampler.batches

    def training_batch(self, step: int) -> Batch:
        """Return the batch of a training step."""
        return self._batch(Split.TRAIN, self._sampler.batch(step))

    def num_batches(self, split: Split) -> int:
        """Return the number of batches of an evaluation split."""
        return -(-self.num_samples(split) // _EVALUATION_BATCH)

    def evaluation_batch(self, split: Split, number: int) -> Batch:
        """Return one batch of an evaluation split; its questions are in dataset order."""
        start = number * _EVALUATION_BATCH
        numbers = np.arange(start, min(start + _EVALUATION_BATCH, self.num_samples(split)))
        return self._batch(split, numbers)

    def num_samples(self, split: Split) -> int:
        """Return the number of questions of a split."""
        return len(self._answers[split])

    def model(self) -> keras.Model:
        """Build the compiled model, to logits `[B, A]`, A the number of answers."""
        inputs, value = (
            self._by_words() if self._task.input_level == "words" else self._by_sentences()
        )
        classes = len(self.stories.words.answers)
        width = self._task.embedding
        value = apply_layers(
            logits(self.config, classes, width, kernel_initializer="glorot_uniform"), value
        )
        model = keras.Model(inputs, value, name=self.config.task.label)
        metric = keras.metrics.SparseCategoricalAccuracy(name=self.metric)
        compile_model(model, self.config, [metric])
        return model

    def step_labels(self, inputs: Any, row: int) -> list[str]:
        """Return the words or the sentences; empty strings for padding."""
        words = ("", *self.stories.words.words)
        if self._task.input_level == "words":
            return [words[number] for number in inputs["words"][row]]
        sentences = inputs["sentences"][row]
        return [" ".join(words[number] for number in one if number) for one in sentences]

    def prediction_report(self, model: keras.Model, split: Split, examples: int) -> dict[str, Any]:
        """Return the confusion matrix and, if requested, questions with their predictions."""
        answered = answer(self, model, split)
        report: dict[str, Any] = {"confusion": confusion(answered)}
        if examples:
            report["stories"] = prediction_examples(answered, examples)
        return report

    def input_labels(self, inputs: Any, row: int) -> list[str]:
        """Return the words, or the sentences and the question."""
        labels = super().input_labels(inputs, row)
        if self._task.input_level == "sentences":
            words = self.stories.words.words
            labels.append(
                " ".join(words[number - 1] for number in inputs["question"][row] if number)
            )
        return labels

    def with_attention(self, model: keras.Model) -> keras.Model:
        """Return a model that shares the weights of `model` and also outputs its attention.

        The outputs are the logits and, at the sentence level, the attention weights
        `[B, hops, S]` over S padded sentences; the padding comes first.
        """
        outputs = [model.output]
        if self._task.input_level == "sentences":
            outputs.append(model.get_layer(_ATTENTION).output[1])
        return keras.Model(model.inputs, outputs)

    def _by_words(self) -> tuple[Any, Any]:
        length = self.stories.sizes.words
        symbols = keras.Input((length,), dtype="int32", name="words")
        value = OneHotEmbedding(self._vocabulary_size, self._task.embedding, name="embedding")(
            symbols
        )
        for number, cell in enumerate(recurrent(self.config, every_step=False), 1):
            value = self._bucketed(cell)(value, symbols != 0)
            value = dropout(self.config, number)(value)
        return {"words": symbols}, value

    def _by_sentences(self) -> tuple[Any, Any]:
        sizes = self.stories.sizes
        sentences = keras.Input((sizes.sentences, sizes.sentence), dtype="int32", name="sentences")
        question_words = keras.Input((sizes.sentence,), dtype="int32", name="question")
        encode = SentenceEncoder(self._vocabulary_size, self._task.embedding, name="sentence")
        is_sentence = ops.any(sentences != 0, axis=-1)
        vectors, question = encode(sentences), encode(question_words)
        value, step_questions = vectors, ops.expand_dims(question, 1)
        for number, cell in enumerate(recurrent(self.config, every_step=True), 1):
            if number > 1:
                step_questions = keras.layers.Dense(
                    self._task.embedding, name=numbered("question_projection", number)
                )(value)
            value = QuestionEncoder(name=numbered("question_encoder", number))(
                vectors, step_questions
            )
            value = self._bucketed(cell, backwards=number % 2 == 0)(value, is_sentence)
            value = dropout(self.config, number)(value)
        units = self.config.cell.units
        question = keras.layers.Dense(units, activation="tanh", name="question_state")(question)
        memories = ops.concatenate([value, vectors], axis=-1)
        attend = Attention(self._task.num_hops, units, memories.shape[-1], name=_ATTENTION)
        value, _ = attend(memories, question, is_sentence)
        return {"sentences": sentences, "question": question_words}, value

    def _bucketed(self, cell: keras.layers.RNN, backwards: bool = False) -> BucketedRNN:
        splits = [split for split in self.stories.questions if split == Split.TRAIN]
        sizes = [int(size) for split in splits for size in self._sizes(split)]
        longest = self.stories.sizes
        most = longest.words if self._task.input_level == "words" else longest.sentences
        return BucketedRNN(cell, bucket_lengths([*sizes, most]), backwards, name=cell.name)

    @property
    def _vocabulary_size(self) -> int:
        return len(self.stories.words.words) + 1  # including padding

    def _arrays(self, split: str) -> dict[str, np.ndarray]:
        examples, words = self.stories.questions[split], self.stories.words
        sizes, source = self.stories.sizes, self.stories.source
        if self._task.input_level == "words":
            return {"words": vocabulary.word_rows(examples, words, sizes.words, source)}
        sentences, question = vocabulary.sentence_tables(examples, words, sizes, source)
        return {"sentences": sentences, "question": question}

    def _sizes(self, split: str) -> np.ndarray:
        """Return the number of time steps of each question."""
        examples = self.stories.questions[split]
        if self._task.input_level == "words":
            return np.array([vocabulary.word_count(one) for one in examples])
        return np.array([len(one.statements) for one in examples])

    def _batch(self, split: str, numbers: np.ndarray) -> Batch:
        inputs = {
            name: array[numbers].astype(np.int32) for name, array in self._inputs[split].items()
        }
        return inputs, self._answers[split][numbers]

    @property
    def _task(self) -> BabiConfig:
        return cast(BabiConfig, self.config.task)


@dataclass(frozen=True)
class Prediction:
    """A question with the model's prediction.

    Attributes:
        example: Question with its story and the correct answer.
        answer: Predicted answer.
        probability: Predicted probability of that answer.
        attention: Attention weights `[hops, S]` over the S statements of the story; None without
            attention.
    """

    example: QuestionExample
    answer: str
    probability: float
    attention: np.ndarray | None


def answer(task: Babi, model: keras.Model, split: Split) -> list[Prediction]:
    """Predict the answers to all questions of a split, in dataset order."""
    predictions: list[Prediction] = []
    questions = iter(task.stories.questions[split])
    answers = task.stories.words.answers
    predict = task.with_attention(model)
    for number in range(task.num_batches(split)):
        inputs, _ = task.evaluation_batch(split, number)
        # The output is the logits, or the logits and the attention weights.
        scores, *attentions = tree.flatten(predict.predict_on_batch(inputs))
        attention = attentions[0] if attentions else None
        for row, row_logits in enumerate(scores):
            example = next(questions)
            chances = np.exp(row_logits - row_logits.max())
            best = int(row_logits.argmax())
            predictions.append(
                Prediction(
                    example,
                    answers[best],
                    float(chances[best] / chances.sum()),
                    None if attention is None else attention[row][:, -len(example.statements) :],
                )
            )
    return predictions


def confusion(predictions: list[Prediction]) -> list[dict[str, Any]]:
    """Compute the confusion matrix of the answers, in sparse form.

    Returns:
        One row per correct answer, sorted by decreasing frequency. The predicted answers in a row
        are sorted in the same way.
    """
    counts: dict[str, dict[str, int]] = {}
    for one in predictions:
        row = counts.setdefault(one.example.answer, {})
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


def prediction_examples(predictions: list[Prediction], count: int) -> list[dict[str, Any]]:
    """Describe up to `count` predictions: incorrect ones first, each group in dataset order."""
    wrong = [one for one in predictions if one.answer != one.example.answer]
    right = [one for one in predictions if one.answer == one.example.answer]
    return [_describe(one) for one in [*wrong, *right][:count]]


def _describe(one: Prediction) -> dict[str, Any]:
    example = one.example
    return {
        "story": [
            {
                "line": line,
                "text": " ".join(words),
                "supporting": line in example.supporting,
                "attention": None
                if one.attention is None
                else [round(float(weight), 4) for weight in one.attention[:, place]],
            }
            for place, (line, words) in enumerate(
                zip(example.lines, example.statements, strict=True)
            )
        ],
        "question": " ".join(example.question),
        "answer": example.answer,
        "given": one.answer,
        "probability": round(one.probability, 4),
    }
