"""Bad input: one line, the exit code, no traceback, nothing written, no TensorFlow."""

import os
import shlex
import subprocess
import sys

import pytest

from tests.cli.commands import COMMAND, assert_one_line, environment, python, rum
from tests.documents import validated

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
needs_a_full_device = pytest.mark.skipif(
    not os.path.exists("/dev/full"),  # noqa: PTH110
    reason="there is no /dev/full",
)


def shell(line, cwd):
    """Run `rum` with a line of the shell's behind it: arguments and redirections."""
    return subprocess.run(
        f"{shlex.join(COMMAND)} {line}",
        shell=True,
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("trian copying", "no such command 'trian'. Did you mean 'train'?"),
        ("train copyin", "unknown task 'copyin'; did you mean 'copying'? tasks: copying, recall"),
        ("train", "which task? One of: copying, recall"),
        ("train copying --cell arun", "--cell arun: unknown cell 'arun'; did you mean 'arum'?"),
        ("train --preset copyin", "unknown preset 'copyin'; did you mean 'copying'?"),
        ("train copying --preset recall", "it is for 'recall', not 'copying'"),
        ("train copying --preset no/where.yaml", "can't read no/where.yaml: No such file"),
        ("train copying --set cell.zonout=0.1", "unknown option 'zonout'; did you mean 'zoneout'?"),
        ("train copying --set seeed=1", "unknown key 'seeed'; did you mean 'seed'?"),
        ("train copying --norm -1", "--norm -1.0: expected a number greater than 0, got -1.0"),
        ("train copying --norm nan", "--norm nan: expected a"),
        ("train copying --hidden 0", "--hidden 0: expected at least 1, got 0"),
        ("train recall --delay 7", "--delay 7: expected an even integer, got 7"),
        (
            "train copying --steps ten",
            "invalid value for '--steps': expected an integer, got 'ten'",
        ),
        ("train copying --norm two", "invalid value for '--norm': expected a number, got 'two'"),
        ("rotation-check --dim x", "invalid value for '--dim': expected an integer, got 'x'"),
        ("train copying --cell lstm --norm 1", "cell 'lstm' has no option 'time_norm'"),
        ("train copying --nrom 1", "no such option: --nrom"),
        ("train copying --resume nowhere", "there is no run folder nowhere"),
        ("train copying --resume empty", "empty is empty; expected a folder that 'rum train' made"),
        ("train recall --resume copying", "copying is a run of 'copying', not of 'recall'"),
        ("train --resume copying --out new", "--resume and --out exclude each other"),
        ("train --resume copying --norm 3", "the configuration differs in cell.time_norm;"),
        ("train --resume copying --seed 9 --batch-size 3", "differs in train.batch_size, seed;"),
        ("train --resume copying --cell lstm", "the configuration differs in cell.name;"),
        ("train --resume copying --steps 1", "the run in copying has 5 steps; it can only become"),
        ("train copying --out copying", "it exists and is not empty"),
        ("train copying --out copying/config.yaml", "a file of that name exists"),
        (
            "train copying --out copying/config.yaml/x",
            "can't write to copying/config.yaml/x: Not a",
        ),
        ("train --preset bad.yaml", "bad.yaml, line 2, column 1: "),
        ("train --preset list.yaml", "list.yaml, line 1, column 1: expected a mapping"),
        ("train --preset key.yaml", "key.yaml, line 3, column 3: cell.unit: unknown option 'unit'"),
        ("train --preset other.yaml --cell rum", "unknown cell 'arumm'; did you mean 'arum'?"),
        ("train --preset mixed.yaml --cell gru", "option 'zonout'"),
        ("train --preset scalar.yaml", "scalar.yaml, line 1, column 1: task: expected a mapping"),
        ("train copying --set seed=2001-99-99", "seed=2001-99-99: the value is not YAML"),
        ("train copying --set cell.name=null", "unknown cell 'None'"),
        ("gen-data copying --out x.csv", "--out x.csv: which format? Add --format npz, jsonl, txt"),
        ("eval nowhere", "there is no run folder nowhere"),
        ("eval empty", "empty is empty"),
        ("eval copying --split tets", "--split tets: unknown split 'tets'; did you mean 'test'?"),
        ("eval copying --split train", "--split train: unknown split 'train'"),
        ("eval copying --checkpoint first", "unknown checkpoint 'first'"),
        ("gen-data squad", "no such command 'squad'; see 'rum gen-data --help'"),
        ("gen-data copyin", "no such command 'copyin'. Did you mean 'copying'?"),
        ("gen-data copying --source x", "no such option: --source"),
        ("gen-data recall --json", "--json needs a file for the examples: --out FILE"),
        ("gen-data ptb --source empty --count 3", "no such option: --count"),
        ("gen-data ptb --source empty --delay 3", "no such option: --delay"),
        ("gen-data ptb", "--source is missing: "),
        ("gen-data ptb --source nowhere", "there is no nowhere; expected a folder or an archive"),
        ("gen-data ptb --source empty", "empty has no ptb.train.txt, ptb.valid.txt, ptb.test.txt"),
        ("gen-data ptb --source bad.yaml", "bad.yaml is no archive, or damaged"),
        ("gen-data ptb --source ftp://x/y", "ftp://x/y: expected an address that begins with"),
        ("gen-data ptb --source empty --out bad.yaml", "--out bad.yaml is a file; expected a"),
        ("gen-data recall --delay 7", "--delay 7: expected an even integer"),
        ("gen-data copying --count 0", "--count 0: expected at least 1"),
        ("gen-data copying --format npy", "unknown format 'npy'; did you mean 'npz'?"),
        ("gen-data copying --format npz", "--format npz needs a file: --out FILE.npz"),
        ("gen-data copying --split dev", "unknown split 'dev'"),
        ("gen-data copying --out bad.yaml --format txt", "bad.yaml exists; choose another name"),
        ("gen-data copying --out no/x.npz", "can't write no/x.npz: No such file or directory"),
        ("presets show recal", "unknown preset 'recal'; did you mean 'recall'?"),
        ("presets copy copying bad.yaml", "bad.yaml exists; choose another name"),
        ("presets lsit", "no such command 'lsit'. Did you mean 'list'?"),
        ("rotation-check --dim 1", "--dim 1: expected at least 2"),
        ("rotation-check --batch 0", "--batch 0: expected at least 1"),
        ("rotation-check --dtype float23", "unknown dtype 'float23'; did you mean 'float32'?"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(workplace, arguments, expected):
    before = {path: path.stat().st_mtime_ns for path in workplace.rglob("*")}
    assert_one_line(rum(*arguments.split(), cwd=workplace), 2, expected)
    assert {path: path.stat().st_mtime_ns for path in workplace.rglob("*")} == before


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with an unfinished run, an empty folder and three wrong files."""
    place = tmp_path_factory.mktemp("workplace")
    made = rum("train", "copying", "--steps", 5, "--dry-run", cwd=place)
    (place / "copying").mkdir()
    (place / "copying" / "config.yaml").write_text(made.stdout)
    (place / "empty").mkdir()
    (place / "bad.yaml").write_text("task: [copying\n")
    (place / "list.yaml").write_text("- copying\n")
    (place / "key.yaml").write_text("task: {name: copying}\ncell:\n  unit: 3\n")
    (place / "other.yaml").write_text("task: {name: copying}\ncell: {name: arumm}\n")
    (place / "mixed.yaml").write_text("task: {name: copying}\ncell: {name: lstm, zonout: 0.1}\n")
    (place / "scalar.yaml").write_text("task: copying\n")
    return place


def test_a_name_that_is_too_long_is_told(tmp_path):
    assert_one_line(rum("eval", "x" * 300, cwd=tmp_path), 2, "File name too long")


def test_control_characters_of_the_user_do_not_come_back(tmp_path):
    result = rum("train", "co\x1b[31m\npying", cwd=tmp_path)
    assert_one_line(result, 2, "unknown task 'co [31m pying'")


@needs_a_full_device
def test_a_full_device_as_output_is_told(tmp_path):
    result = shell("presets show copying > /dev/full", tmp_path)
    assert_one_line(result, 1, "No space left on device")
    assert "bug" not in result.stderr


@needs_a_full_device
def test_messages_that_a_full_device_does_not_take_leave_the_exit_code(tmp_path):
    assert shell("presets show nothing 2> /dev/full", tmp_path).returncode == 2


@pytest.mark.e2e
@needs_posix
def test_output_that_nobody_reads_ends_without_a_word(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        result = subprocess.run(
            [*COMMAND, "presets", "show", "copying"],
            cwd=tmp_path,
            env=environment(),
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (result.returncode, result.stderr) == (1, b"")


@needs_posix
def test_closed_streams_take_nothing_of_a_result(tmp_path):
    result = shell("presets show copying --summary --json <&- 2>&-", tmp_path)
    assert validated(result.stdout, "presets-show-summary")["preset"] == "copying"
    assert result.returncode == 0


def test_an_unwritable_place_is_told(tmp_path):
    (tmp_path / "runs").write_text("a file in the way")
    assert_one_line(rum("train", "copying", cwd=tmp_path), 2, "can't write to runs: File exists")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_without_permission_is_told(tmp_path):
    tmp_path.chmod(0o500)
    result = rum("train", "copying", cwd=tmp_path)
    tmp_path.chmod(0o700)
    assert_one_line(result, 2, "can't write to runs: Permission denied")


@pytest.mark.e2e
@pytest.mark.parametrize(
    "arguments",
    [
        "--help",
        "train --help",
        "--version",
        "presets list",
        "train copyin",
        "train copying --dry-run",
        "gen-data copying --count 2",
        "gen-data ptb --source nowhere",
        "eval nowhere",
    ],
)
def test_nothing_imports_tensorflow_that_does_not_need_it(tmp_path, arguments):
    code = (
        "import sys\nfrom rumcli.cli.app import main\n"
        f"code = main({arguments.split()!r})\n"
        "loaded = {'tensorflow', 'keras', 'jax'} & set(sys.modules)\n"
        "sys.exit(f'imported {loaded}' if loaded else code)\n"
    )
    result = python(code, tmp_path)
    assert "imported" not in result.stderr
    assert result.returncode in (0, 2)


@pytest.mark.parametrize("arguments", [[], ["presets"], ["gen-data"]], ids=" ".join)
def test_without_a_command_the_help_is_shown(tmp_path, arguments):
    result = rum(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert "Usage: rum" in result.stdout
    assert result.stderr.startswith("rum: error: a command is missing; see 'rum")


def test_debug_shows_the_traceback(tmp_path):
    result = rum("train", "copyin", "--debug", cwd=tmp_path)
    assert result.returncode == 2
    assert "Traceback" in result.stderr
    assert "ConfigError: unknown task 'copyin'" in result.stderr


def test_version_and_help(tmp_path):
    assert rum("--version", cwd=tmp_path).stdout.startswith("rum 0.")
    shown = rum("train", "--help", cwd=tmp_path)
    assert shown.returncode == 0
    for option in ("--cell", "--norm", "--resume", "--dry-run", "--json", "--quiet", "--debug"):
        assert option in shown.stdout


def test_help_fits_a_narrow_terminal(tmp_path):
    shown = rum("train", "--help", cwd=tmp_path, env={"COLUMNS": "60"}).stdout
    assert max(map(len, shown.splitlines())) <= 60


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("train ", "copying"),
        ("train --cell a", "arum"),
        ("presets show re", "recall"),
        ("gen-data p", "ptb"),
    ],
)
def test_the_shell_completes_names(tmp_path, typed, offered):
    variables = {
        "_RUM_COMPLETE": "complete_bash",
        "COMP_WORDS": f"rum {typed}",
        "COMP_CWORD": str(len(typed.split(" "))),
    }
    code = "import sys; sys.argv[0] = 'rum'; from rumcli.cli.app import run; run()"
    result = python(code, tmp_path, variables)
    assert offered in result.stdout.split()
