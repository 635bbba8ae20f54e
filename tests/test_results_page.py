"""Tables of docs/results.md come from run directories, through the files in docs/results/."""

import json

import pytest

from docs import results_tables


def write_run(folder, seed, losses, accuracy):
    """Write the files of a finished run that are read, with a validation every 100 steps."""
    folder.mkdir()
    (folder / "config.yaml").write_text(
        f"seed: {seed}\noptimizer: {{learning_rate: 0.01}}\ntrain: {{batch_size: 16, steps: 900}}\n"
    )
    summary = {"parameters": 24109, "steps": 100 * len(losses), "seconds": 90.4}
    summary |= {"loss": losses[-1], "symbol_accuracy": accuracy}
    (folder / "summary.json").write_text(json.dumps(summary))
    lines = [{"step": 100 * n, "val_loss": loss} for n, loss in enumerate(losses, 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page with both tables, and an empty file of measurements."""
    monkeypatch.setattr(results_tables, "FOLDER", tmp_path)
    monkeypatch.setattr(results_tables, "PAGE", tmp_path / "results.md")
    blocks = [
        f"<!-- table: {name} -->\n\nold\n\n<!-- end of table -->" for name in ("summary", "copying")
    ]
    results_tables.PAGE.write_text("\n\n".join(["# Results", *blocks, "End.\n"]))
    content = {"kind": "runs", "metric": "symbol_accuracy", "label": "right, %", "rows": {}}
    content["summary"] = {"task": "copying", "decimals": 1, "lower_is_better": False}
    (tmp_path / "copying.json").write_text(json.dumps(content))
    return tmp_path


def test_collected_runs_are_the_rows_of_the_tables(page):
    # Given two seeds of one model, of which one comes below 0.001, and one seed of a worse model,
    good = [
        write_run(page / "a", 1, [0.05, 0.009, 0.0005], 0.998),
        write_run(page / "b", 2, [0.05, 0.02, 0.0015], 0.990),
    ]
    poor = [write_run(page / "c", 1, [0.0945], 0.125)]
    for label, runs in {"LSTM": poor, "RUM": good}.items():
        results_tables.collect(page / "copying.json", label, runs)
    # when the page is generated,
    text = results_tables.page()
    # then the better model comes first in both tables, and the rest of the page stays.
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert rows[2][:2] == ["| copying", "RUM"]
    assert rows[2][2:] == ["99.4 ± 0.6", "2", "0.01", "300", "2 min |"]
    assert rows[3][:3] == ["| ", "LSTM", "12.5"]
    expected = (
        "| RUM | 0.00100 ± 0.00071 | 99.4 ± 0.6 | 2 | 0.01 | 24,109 | 300 | 200, 300 | 300, – |"
    )
    assert expected in text
    assert text.startswith("# Results\n")
    assert text.endswith("\n\nEnd.\n")
    assert "old" not in text


def test_the_model_that_solves_the_task_first_is_first_though_its_run_ends_there(page):
    for label, losses in {"slow": [0.05, 0.02, 0.0001], "fast": [0.05, 0.0009]}.items():
        run = write_run(page / label, 1, losses, 0.99)
        results_tables.collect(page / "copying.json", label, [run])
    text = results_tables.page()
    assert text.index("| fast | 0.00090") < text.index("| slow | 0.00010")


def test_a_run_of_the_same_seed_is_replaced(page):
    for name, accuracy in (("a", 0.5), ("b", 0.7)):
        run = write_run(page / name, 1, [0.05], accuracy)
        results_tables.collect(page / "copying.json", "RUM", [run])
    assert "70.0" in results_tables.page()
    assert "50.0" not in results_tables.page()


def test_trials_of_a_sweep_are_a_table_with_the_best_rate_of_each_cell(page):
    losses = {
        ("gru", 0.01): 0.05,
        ("gru", 0.001): 0.07,
        ("eunn", 0.01): 0.03,
        ("eunn", 0.001): 0.02,
    }
    points = [
        {
            "settings": {"cell.name": cell, "optimizer.learning_rate": rate},
            "validation": {"mean": loss},
        }
        for (cell, rate), loss in losses.items()
    ]
    report = {"metric": "loss", "higher_is_better": False, "points": points}
    (page / "sweep").mkdir()
    (page / "sweep" / "results.json").write_text(json.dumps(report))
    results_tables.PAGE.write_text(
        results_tables.PAGE.read_text() + "<!-- table: rates -->\n\nold\n\n<!-- end of table -->\n"
    )
    results_tables.collect_sweep(page / "rates.json", page / "sweep")
    text = results_tables.page()
    assert "| `eunn` | 0.0300 | **0.0200** |\n| `gru` | **0.0500** | 0.0700 |" in text


def test_a_table_without_measurements_is_reported(page):
    (page / "copying.json").unlink()
    with pytest.raises(ValueError, match=r"has the tables \['copying', 'summary'\]; expected"):
        results_tables.page()
