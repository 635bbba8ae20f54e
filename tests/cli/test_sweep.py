"""`rum sweep`: checks, lists and output."""

import importlib.util

import pytest

from rumcli.cli.app import main
from tests.cli.commands import assert_one_line, rum
from tests.documents import validated
from tests.sweeps.files import SMALL, run_of, sweep, write_run, write_sweep

RATES = [0.01, 0.001]
SMALL_SET = SMALL["set"]


def test_a_dry_run_lists_the_points(tmp_path):
    write_sweep(tmp_path)
    result = rum("sweep", "sweep.yaml", "--dry-run", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "2 points, 2 seeds each: 4 runs" in result.stdout
    assert "0.001" in result.stdout
    result = rum("sweep", "sweep.yaml", "--dry-run", "--json", "--max-runs=3", cwd=tmp_path)
    found = validated(result.stdout, "sweep-dry-run")
    assert found["points"] == [{"optimizer.learning_rate": 0.01}]
    assert (found["max_runs"], found["seeds"]) == (2, [1, 2])
    result = rum("sweep", "copying", "--dry-run", "--json", cwd=tmp_path)
    assert len(validated(result.stdout, "sweep-dry-run")["points"]) == 18
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "which sweep? Expected a FILE, or --resume"),
        (["nowhere.yaml"], "can't read nowhere.yaml: No such file"),
        (["wrong.yaml"], "column 3: cell.units: expected at least 1, got 0"),
        (["sweep.yaml", "--jobs=0"], "--jobs 0: expected at least 1"),
        (["sweep.yaml", "--seeds=20000"], "--seeds 20000: expected at most 10,000"),
        (["sweep.yaml", "--budget=30"], "--budget 30: expected a time such as 30m, 2h"),
        (["sweep.yaml", "--max-runs=0"], "--max-runs 0: expected at least 1"),
        (["sweep.yaml", "--max-runs=1"], "max_runs: 1 runs are too few for one point with 2 seeds"),
        (["--resume=nowhere"], "there is no directory nowhere"),
        (["--resume=out", "--out=other"], "--resume and --out are mutually exclusive"),
        (["--results=out", "sweep.yaml"], "--results and FILE are mutually exclusive"),
        (["--results=."], ". has no base.yaml; expected the directory of a sweep"),
        (
            ["other.yaml", "--resume=out"],
            "other.yaml differs from the file of the sweep in set: train.steps, seeds; omit FILE",
        ),
    ],
)
def test_usage_errors_are_reported_in_one_line(tmp_path, arguments, expected):
    made, _ = sweep(tmp_path, [])
    write_sweep(tmp_path, "wrong.yaml", parameters={"cell.units": [8, 0]})
    write_sweep(tmp_path, "other.yaml", set={**SMALL_SET, "train.steps": 30}, seeds=[3, 4])
    before = sorted(path.name for path in made.path.iterdir())
    assert_one_line(rum("sweep", *arguments, cwd=tmp_path), 2, expected)
    assert sorted(path.name for path in made.path.iterdir()) == before


def test_results_are_read_from_the_run_directories_alone(tmp_path):
    points = [{"optimizer.learning_rate": rate} for rate in RATES]
    made, plan = sweep(tmp_path, points)
    for number, point in enumerate(points, 1):
        for seed in (1, 2):
            value = number / 10 + seed / 100
            write_run(made, run_of(plan, number, seed, point), [value], test=value)
    result = rum("sweep", "--results=out", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "0.1150 ± 0.0071" in result.stdout
    assert result.stdout.index("0.1150") < result.stdout.index("0.2150")
    result = rum("sweep", "--results=out", "--json", cwd=tmp_path)
    found = validated(result.stdout, "sweep")
    assert [point["point"] for point in found["points"]] == [1, 2]
    assert found["runs"]["finished"] == 4


@pytest.mark.parametrize(
    ("missing", "arguments", "expected"),
    [
        ("ray", ["--address=auto"], "--address auto requires ray: pip install 'rumcli[cluster]'"),
        ("optuna", [], "search: bayesian requires optuna: pip install 'rumcli[sweep]'"),
    ],
)
def test_missing_package_is_reported_with_the_install_command(
    tmp_path, monkeypatch, capsys, missing, arguments, expected
):
    # given
    monkeypatch.chdir(tmp_path)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else find(name)
    )
    write_sweep(tmp_path, search="bayesian" if missing == "optuna" else "grid", max_runs=4)

    # when
    code = main(["sweep", "sweep.yaml", *arguments])

    # then
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert expected in err
    assert not (tmp_path / "sweeps").exists()


def test_unavailable_resources_are_reported_without_leaving_files(tmp_path):
    write_sweep(tmp_path, cores_per_run=1000)
    result = rum("sweep", "sweep.yaml", cwd=tmp_path)
    assert_one_line(result, 2, "cores_per_run: 1000 exceeds the ")
    assert list((tmp_path / "sweeps").iterdir()) == []


def test_finished_sweep_is_shown(tmp_path):
    points = [{"optimizer.learning_rate": rate} for rate in RATES]
    made, plan = sweep(tmp_path, points, seeds=[1])
    for number, point in enumerate(points, 1):
        write_run(made, run_of(plan, number, 1, point), [0.5], test=0.5)
    result = rum("sweep", "--resume=out", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "out is finished\n")
    assert "0.001" in result.stdout


def test_code_named_by_a_sweep_file_runs_only_if_trusted(tmp_path):
    own = {**SMALL_SET, "cell.name": "custom", "cell.factory": "mine:Cell"}
    write_sweep(tmp_path, set=own)
    result = rum("sweep", "sweep.yaml", cwd=tmp_path)
    assert_one_line(result, 2, "the configuration names code, mine:Cell")
