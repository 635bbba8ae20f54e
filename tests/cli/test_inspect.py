"""`rum inspect` as a user has it."""

import json

import pytest

from tests.cli.commands import SMALL, assert_one_line, rum
from tests.documents import validated

# A landscape of nine points.
FEW = ["--grid=3", "--radius=0.5"]


def test_inspect_writes_a_plot_and_its_data(tmp_path, finished_run):
    result = rum(
        "inspect", finished_run, *FEW, "--batches=99", "--out=x.svg", "--json", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    told = result.stderr.splitlines()
    assert told[0] == f"{finished_run} uses the cell 'rum', which has no associative memory"
    assert told[-1].startswith("wrote x.svg; 9 points of 20 samples in ")
    assert "<svg" in (tmp_path / "x.svg").read_text()

    found = validated(result.stdout, "inspect")
    assert len(found["example"]["steps"]) == 24
    (layer,) = found["example"]["layers"]
    assert [len(layer[name]) for name in ("angles_degrees", "norms", "update_gates")] == [24] * 3
    assert len(layer["update_gates"][0]) == 8
    assert all(0 <= angle <= 180 for angle in layer["angles_degrees"])
    # In the middle is the loss of the validation.
    records = [json.loads(line) for line in (finished_run / "metrics.jsonl").open()]
    best = min(record["val_loss"] for record in records)
    assert found["landscape"]["losses"][1][1] == pytest.approx(best, rel=1e-5)
    assert found["landscape"]["ticks"] == [-0.5, 0, 0.5]


def test_json_alone_writes_no_plot(tmp_path, finished_run):
    arguments = ["--views=angles", "--split=test", "--example=2", "--checkpoint=last", "--json"]
    result = rum("inspect", finished_run, *arguments, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "reading example 2\n")
    found = validated(result.stdout, "inspect")
    assert (found["split"], found["example"]["number"]) == ("test", 2)
    assert "landscape" not in found
    (layer,) = found["example"]["layers"]
    assert set(layer) == {"name", "part", "backwards", "angles_degrees"}
    assert list(tmp_path.iterdir()) == []


def test_inspect_shows_norm_and_landscape_of_other_cells(tmp_path):
    assert rum("train", "recall", "--steps=10", *SMALL, "--out=x", cwd=tmp_path).returncode == 0
    result = rum("inspect", "x", *FEW, cwd=tmp_path)
    assert result.stderr.splitlines()[0] == (
        "x uses the cell 'gru', which has no rotation, no update gate of RUM and no associative "
        "memory"
    )
    assert (tmp_path / "inspect.png").read_bytes().startswith(b"\x89PNG")
    result = rum("inspect", "x", "--views=norm,gate", "--out=y.png", cwd=tmp_path)
    assert_one_line(
        result, 2, "x uses the cell 'gru', which has no update gate of RUM; expected some of: norm,"
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere"], "there is no run directory nowhere"),
        (
            ["{run}", "--views=angels"],
            "--views angels: unknown view 'angels'; did you mean 'angles'",
        ),
        (["{run}", "--views=norm,"], "--views norm,: unknown view ''"),
        (
            ["{run}", "--views=spectrum"],
            "uses the cell 'rum', which has no associative memory; expected",
        ),
        (["{run}", "--grid=20"], "--grid 20: expected an odd number"),
        (["{run}", "--grid=1"], "--grid 1: expected at least 3"),
        (["{run}", "--radius=0"], "--radius 0: expected a number greater than 0"),
        (["{run}", "--radius=nan"], "--radius nan: expected a number greater than 0"),
        (["{run}", "--batches=0"], "--batches 0: expected at least 1"),
        (["{run}", "--example=-1"], "--example -1: expected at least 0"),
        (["{run}", "--split=train"], "--split train: unknown split 'train'"),
        (["{run}", "--out=x.gif"], "--out x.gif: expected a name that ends in .png, .svg, .pdf"),
        (["{run}", "--out=there.png"], "there.png exists; choose another name, or --force"),
        (["{run}", "--data=x"], "--data x: {run} is a run of 'copying', which takes no data"),
        (["{run}", "--example=20"], "there is no example 20 in the validation split; the last"),
    ],
)
def test_usage_errors_are_reported_in_one_line(tmp_path, finished_run, arguments, expected):
    (tmp_path / "there.png").write_bytes(b"mine")
    arguments = [argument.format(run=finished_run) for argument in arguments]
    result = rum("inspect", *arguments, cwd=tmp_path)
    lines = result.stderr.splitlines()
    assert result.returncode == 2
    assert expected.format(run=finished_run) in lines[-1]
    assert lines[-1].startswith("rum: error: ")
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["there.png"]
    assert (tmp_path / "there.png").read_bytes() == b"mine"
