""""""

import pytest

from rumcli.analysis.rotation_properties import CheckResult
from rumcli.reporting import result_tables
from tests.rendering import render

SUMMARY = {
    "task": "recall",
    "cell": "arum",
    "split": "test",
    "examples": 20000,
    "weights_of_step": 10,
    "loss": 1.5,
    "metric": "accuracy",
    "accuracy": 0.5,
    "baseline": {"metric": "accuracy", "label": "chance", "value": 0.1, "target": 1.0},
    "beats_baseline": True,
    "folder": "a/very/long/path/" * 8,
}
OF_CHARACTERS = {
    **{name: value for name, value in SUMMARY.items() if name not in ("examples", "accuracy")},
    "task": "ptb",
    "metric": "bits_per_character",
    "bits_per_character": 1.4,
    "perplexity": 2.639,
    "characters": 449944,
    "data": "/a/very/long/path/" * 8 + "[bold]",
    "baseline": {
        "metric": "bits_per_character",
        "label": "unigram",
        "value": 4.304,
        "target": 0.0,
        "published": 1.189,
    },
}


def test_result_is_beside_its_baseline():
    text = render(result_tables.result(SUMMARY), 100)
    for part in ("recall with arum, test split", "50.0%", "chance accuracy", "40.0 points above"):
        assert part in text


def test_character_results_have_bits_perplexity_and_published_values():
    rows = [
        line.split("│") for line in render(result_tables.result(OF_CHARACTERS), 60).splitlines()
    ]
    found = {row[1].strip(): row[2].strip() for row in rows if len(row) == 4}
    assert found["bits per character"] == "1.400"
    assert found["perplexity"] == "2.639"
    assert found["unigram bits per character"] == "4.304"
    assert found["gap to baseline"] == "67.5% below unigram"
    assert found["published"] == "1.189"
    assert found["characters"] == "449,944"
    assert "examples" not in found


@pytest.mark.parametrize("summary", [SUMMARY, OF_CHARACTERS], ids=["examples", "characters"])
def test_a_long_path_is_folded_and_not_cut(summary):
    text = render(result_tables.result(summary), 60)
    assert max(map(len, text.splitlines())) <= 60
    assert "…" not in text


def test_each_failed_check_has_a_row_and_passed_ones_show_the_worst_size():
    results = [
        CheckResult("norm kept", dim, "float32", error, 1e-6)
        for dim, error in ((2, 1e-7), (3, 5e-7), (8, 2e-7))
    ]
    results += [CheckResult("R a = b", dim, "float32", float("nan"), 1e-6) for dim in (2, 3)]
    rows = [
        line
        for line in render(result_tables.checks(results), 100).splitlines()
        if "float32" in line
    ]
    assert len(rows) == 3
    assert "5.0e-07" in rows[0]
    assert "ok" in rows[0]
    assert all("FAILED" in row and "nan" in row for row in rows[1:])


def test_result_draws_the_validations_of_the_run():
    text = render(result_tables.result(SUMMARY, [0.1, 0.2, float("nan"), 0.9]), 60)
    assert "validation accuracy │ ▁▂█ 10.0% → 90.0%" in text
    assert "validation" not in render(result_tables.result(SUMMARY, [0.1]), 60)


def answer_row(answer, questions, **given):
    return {
        "answer": answer,
        "questions": questions,
        "right": given.get(answer, 0),
        "given": given,
    }


def test_wrong_predictions_are_shown_beside_the_right_answer():
    text = render(
        result_tables.babi_confusion(
            [answer_row("garden", 4, garden=3, kitchen=1), answer_row("office", 1)]
        ),
        80,
    )
    assert "│ garden │         4 │    75.0% │ kitchen 1         │" in text
    assert "│ office │         1 │     0.0% │                   │" in text


def test_rare_answers_are_aggregated():
    rows = [answer_row(f"place{n}", 2) for n in range(5)]
    assert "and 2 rarer answers to 4 questions" in render(
        result_tables.babi_confusion(rows, most=3), 80
    )


def test_rare_wrong_answers_are_aggregated():
    text = render(result_tables.babi_confusion([answer_row("a", 9, b=4, c=2, d=1, e=1, f=1)]), 80)
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
    text = render(result_tables.babi_example(example(None)), 80)
    assert "*1  mary went to the [garden] ." in text
    assert "where is mary ?  kitchen (75%)  right: garden" in text


def test_attention_stands_beside_the_sentences():
    assert "mary went to the [garden] .  0.90  0.10" in render(
        result_tables.babi_example(example([0.9, 0.1])), 80
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
        "standard_error": 0.012,
        "passed": 1,
        "passed_from": 0.95,
        "published_means": {"RUM": 0.732},
        "subtasks": [subtask, {**subtask, "subtask": 2, "accuracy": 0.5}],
    }
    text = render(result_tables.babi_subtasks(summary), 90)
    assert "│ 1 │ single-supporting-fact │        96.0% │    20.0% │   passed │ 1 min 1 s │" in text
    assert "73.0% ± 1.2%" in text
    assert "1 of 2" in text
    assert "published means (from memory, unverified): RUM 73.2%" in text
