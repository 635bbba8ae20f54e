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
