from rumcli.reporting import babi_tables
from tests.rendering import render


def answer_row(answer, questions, **given):
    return {
        "answer": answer,
        "questions": questions,
        "right": given.get(answer, 0),
        "given": given,
    }


def test_wrong_predictions_are_shown_beside_the_right_answer():
    text = render(
        babi_tables.confusion(
            [answer_row("garden", 4, garden=3, kitchen=1), answer_row("office", 1)]
        ),
        80,
    )
    assert "│ garden       │         4 │ 75.0% │ kitchen 1     │" in text
    assert "│ office       │         1 │  0.0% │               │" in text


def test_rare_answers_are_aggregated():
    rows = [answer_row(f"place{n}", 2) for n in range(5)]
    assert "and 2 rarer answers to 4 questions" in render(babi_tables.confusion(rows, most=3), 80)


def test_rare_wrong_answers_are_aggregated():
    text = render(babi_tables.confusion([answer_row("a", 9, b=4, c=2, d=1, e=1, f=1)]), 80)
    assert "b 4, c 2, d 1, others 2" in text


def example(attention):
    return {
        "story": [
            {
                "line": 1,
                "text": "mary went to the [garden] .",
                "supporting": True,
                "attention": attention,
            }
        ],
        "question": "where is mary ?",
        "answer": "garden",
        "given": "kitchen",
        "probability": 0.75,
    }


def test_an_example_has_story_question_and_both_answers():
    text = render(babi_tables.example(example(None)), 80)
    assert "*1  mary went to the [garden] ." in text
    assert "where is mary ?  kitchen (75%)  right: garden" in text


def test_attention_stands_beside_the_sentences():
    assert "mary went to the [garden] .  0.90  0.10" in render(
        babi_tables.example(example([0.9, 0.1])), 80
    )


def test_table_of_all_subtasks_has_their_mean():
    subtask = {
        "subtask": 1,
        "name": "single-supporting-fact",
        "accuracy": 0.96,
        "majority": 0.2,
        "seconds": 61,
    }
    summary = {
        "task": "babi",
        "cell": "rum",
        "split": "test",
        "seconds": 122,
        "mean_accuracy": 0.73,
        "passed": 1,
        "passed_from": 0.95,
        "published_means": {"RUM": 0.732},
        "subtasks": [subtask, {**subtask, "subtask": 2, "accuracy": 0.5}],
    }
    text = render(babi_tables.subtasks(summary), 90)
    assert "│ 1 │ single-supporting-fact │    96.0% │    20.0% │   passed │ 1 min 1 s │" in text
    assert "73.0%" in text
    assert "1 of 2" in text
    assert "published means (from memory, unverified): RUM 73.2%" in text
