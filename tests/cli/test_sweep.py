"""`rum sweep` without Ray: what it checks, lists and shows."""

import pytest

from tests.cli.commands import assert_one_line, python, rum
from tests.documents import validated
from tests.sweeps.files import SMALL, give, run, sweep, write

RATES = [0.01, 0.001]
SMALL_SET = SMALL["set"]


def test_a_dry_run_lists_the_points(tmp_path):
    write(tmp_path)
    result = rum("sweep", "sweep.yaml", "--dry-run", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "2 points, 2 seeds each: 4 runs" in result.stdout
    assert "0.001" in result.stdout
    result = rum("sweep", "sweep.yaml", "--dry-run", "--json", "--runs=3", cwd=tmp_path)
    found = validated(result.stdout, "sweep-dry-run")
    assert found["points"] == [{"optimizer.learning_rate": 0.01}]
    assert (found["runs"], found["seeds"]) == (2, [1, 2])
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "which sweep? Give a FILE, or --resume"),
        (["nowhere.yaml"], "can't read nowhere.yaml: No such file"),
        (["wrong.yaml"], "column 3: cell.units: expected at least 1, got 0"),
        (["sweep.yaml", "--runs=0"], "--runs 0: expected at least 1"),
        (["sweep.yaml", "--runs=1"], "runs: 1 are too few for one point with 2 seeds"),
        (["--resume=nowhere"], "there is no folder nowhere"),
        (["--resume=out", "--out=other"], "--resume and --out exclude each other"),
        (["--results=out", "sweep.yaml"], "--results and FILE exclude each other"),
        (["--results=."], ". has no base.yaml; expected a folder that 'rum sweep' made"),
        (
            ["other.yaml", "--resume=out"],
            "other.yaml differs from the sweep's own file in set: train.steps, seeds; leave FILE",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, arguments, expected):
    made, _ = sweep(tmp_path, [])
    write(tmp_path, "wrong.yaml", parameters={"cell.units": [8, 0]})
    write(tmp_path, "other.yaml", set={**SMALL_SET, "train.steps": 30}, seeds=[3, 4])
    before = sorted(path.name for path in made.path.iterdir())
    assert_one_line(rum("sweep", *arguments, cwd=tmp_path), 2, expected)
    assert sorted(path.name for path in made.path.iterdir()) == before


def test_results_are_shown_from_the_folders_alone(tmp_path):
    points = [{"optimizer.learning_rate": rate} for rate in RATES]
    made, plan = sweep(tmp_path, points)
    for number, point in enumerate(points, 1):
        for seed in (1, 2):
            value = number / 10 + seed / 100
            give(made, plan, run(number, seed, point), [value], test=value)
    result = rum("sweep", "--results=out", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "0.115 ± 0.007" in result.stdout
    assert result.stdout.index("0.115") < result.stdout.index("0.215")
    result = rum("sweep", "--results=out", "--json", cwd=tmp_path)
    found = validated(result.stdout, "sweep")
    assert [point["point"] for point in found["points"]] == [1, 2]
    assert found["runs"]["finished"] == 4


@pytest.mark.e2e
def test_without_ray_a_line_says_what_to_install(tmp_path):
    write(tmp_path)
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from rumcli.cli.app import main; sys.exit(main(['sweep', 'sweep.yaml']))"
    )
    result = python(code, cwd=tmp_path)
    assert_one_line(result, 2, "a sweep needs ray: pip install 'rumcli[cluster]'")
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:1", "nothing answers there: Connection refused; to start a cluster: ray start"),
        ("ray://here:1", "expected HOST:PORT, as 'ray start' shows, or auto"),
        ("here", "expected HOST:PORT"),
    ],
)
def test_a_cluster_that_is_not_there_is_told_at_once(address, expected):
    from rumcli.errors import ConfigError
    from rumcli.sweeps import tune

    with pytest.raises(ConfigError) as error:
        tune.check_address(address)
    assert str(error.value).startswith(f"--address {address}: ")
    assert expected in str(error.value)


def test_what_no_machine_has_is_told_and_leaves_nothing(tmp_path):
    pytest.importorskip("ray", reason="needs Ray: pip install 'rumcli[cluster]'")
    write(tmp_path, cores_per_run=1000)
    result = rum("sweep", "sweep.yaml", cwd=tmp_path)
    assert_one_line(result, 2, "cores_per_run: 1000, but no machine has as many; the largest has")
    assert list((tmp_path / "sweeps").iterdir()) == []


def test_a_sweep_with_nothing_left_to_do_is_shown(tmp_path):
    points = [{"optimizer.learning_rate": rate} for rate in RATES]
    made, plan = sweep(tmp_path, points, seeds=[1])
    for number, point in enumerate(points, 1):
        give(made, plan, run(number, 1, point), [0.5], test=0.5)
    result = rum("sweep", "--resume=out", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "out is finished\n")
    assert "0.001" in result.stdout


def test_code_of_a_file_is_not_run_unless_it_is_trusted(tmp_path):
    pytest.importorskip("ray", reason="needs Ray: pip install 'rumcli[cluster]'")
    own = {**SMALL_SET, "cell.name": "custom", "cell.factory": "mine:Cell"}
    write(tmp_path, set=own)
    result = rum("sweep", "sweep.yaml", cwd=tmp_path)
    assert_one_line(result, 2, "the configuration names code, mine:Cell")
