""""""

import pytest

from rumcli.json_schemas.analysis import ComparedBaseline, ComparedRun, ComparedRuns
from rumcli.reporting.run_tables import ComparisonTable
from tests.rendering import render

REFERENCE = ComparedBaseline(label="memoryless", value=0.5, target=0.0, published=None)
KEYS = ["cell.name", "cell.layer_norm", "optimizer.schedule.warmup_steps"]


def comparison_row(**changes):
    figures = {
        "folder": "runs/a",
        "cell": "rum",
        "finished": True,
        "steps": 20,
        "of_steps": 20,
        "seconds": 90.0,
        "parameters": 12345,
        "value": 0.25,
        "split": "test",
        "weights_of_step": 10,
        "baseline": REFERENCE,
        "gap_to_baseline": -0.25,
        "settings": dict(zip(KEYS, ("rum", True, None), strict=True)),
    }
    return ComparedRun(**{**figures, **changes})


NOTHING = dict.fromkeys(["value", "split", "seconds", "parameters", "baseline", "gap_to_baseline"])

EMPTY = comparison_row(finished=False, steps=0, **NOTHING)


def comparison_group(runs, **changes):
    values = {
        "task": "copying",
        "metric": "loss",
        "higher_is_better": False,
        "differences": KEYS,
        "runs": runs,
    }
    return ComparedRuns(**{**values, **changes})


GROUP = comparison_group([comparison_row(), EMPTY])


def render_comparison(width, group=GROUP, labels=("a", "[bold]b[/bold]")):
    return render(ComparisonTable(group, labels), width)


def test_wide_terminal_shows_a_run_as_a_row():
    lines = render_comparison(200).splitlines()
    assert lines[0].startswith("copying: lowest loss first")
    (line,) = [line for line in lines if "│ a " in line]
    cells = [cell.strip() for cell in line.strip("│").split("│")]
    assert cells == [
        *("a", "0.2500", "test", "50.0% below memoryless", "20", "1 min 30 s", "12,345"),
        *("rum", "yes", "–"),
    ]
    (line,) = [line for line in lines if "[bold]b[/bold]" in line]
    assert "no evaluation yet" in line
    assert " 0 of 20 " in line


def test_run_stopped_at_its_threshold_is_shown_as_finished():
    group = comparison_group([comparison_row(steps=10)])
    assert " of 20" not in render_comparison(200, group, ("a",))


@pytest.mark.parametrize("width", [40, 60])
def test_narrow_terminal_truncates_nothing(width):
    text = render_comparison(width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    joined = "".join(text.split()).replace("│", "")
    for part in ("12,345", "50.0%belowmemoryless", "noevaluationyet", "[bold]b[/bold]"):
        assert part in joined
    assert joined.count("layer_norm") == 2


def test_a_narrow_table_stays_a_table_where_it_fits():
    run = comparison_row(settings={}, value=0.2, baseline=None, gap_to_baseline=None)
    changes = {"task": "recall", "metric": "accuracy", "higher_is_better": True}
    few = comparison_group([run], differences=[], **changes)
    text = render_comparison(60, few, ["a"])
    assert "20.0%" in text
    assert "highest accuracy first" in text
    assert len([line for line in text.splitlines() if "│" in line]) == 1
