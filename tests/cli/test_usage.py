"""Bad input: one line, the exit code, no traceback, nothing written, no TensorFlow."""

import json
import os
import re
import shlex
import subprocess

import pytest

from rumcli.cli import app
from rumcli.cli.app import main
from tests.cli.commands import COMMAND, assert_one_line, environment, python, rum
from tests.documents import validated
from tests.marks import needs_posix

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
        ("train", "the task is missing; tasks: copying, recall"),
        ("train copying --cell arun", "--cell arun: unknown cell 'arun'; did you mean 'arum'?"),
        ("train --preset copyin", "unknown preset 'copyin'; did you mean 'copying'?"),
        ("train copying --preset recall", "the preset is for 'recall', not 'copying'"),
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
        ("train copying --resume nowhere", "there is no run directory nowhere"),
        ("train copying --resume empty", "empty is empty; expected the directory of a run"),
        (
            "train recall --resume copying",
            "copying is a run of 'copying'; expected a run of 'recall'",
        ),
        ("train --resume copying --out new", "--resume and --out are mutually exclusive"),
        ("train --resume copying --norm 3", "the configuration differs in cell.time_norm;"),
        ("train --resume copying --seed 9 --batch-size 3", "differs in train.batch_size, seed;"),
        ("train --resume copying --cell lstm", "the configuration differs in cell.name;"),
        ("train --resume copying --steps 1", "train.steps: expected at least 5, the length of the"),
        ("train --resume copying --set train.steps=1", "length of the run in copying, got 1"),
        ("train copying --out copying", "it exists and is not empty"),
        ("train copying --out copying/config.yaml", "a file with this name exists"),
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
        ("train copying --set seed=2001-99-99", "expected an integer, got '2001-99-99'"),
        ("train copying --set cell.name=null", "unknown cell 'None'"),
        ("gen-data copying --out x.csv", "--out x.csv: which format? Add --format npz, jsonl, txt"),
        ("eval nowhere", "there is no run directory nowhere"),
        ("eval empty", "empty is empty"),
        ("eval copying --split tets", "--split tets: unknown split 'tets'; did you mean 'test'?"),
        ("eval copying --split train", "--split train: unknown split 'train'"),
        ("eval copying --checkpoint first", "unknown checkpoint 'first'"),
        ("gen-data squad", "no such command 'squad'; see 'rum gen-data --help'"),
        ("gen-data copyin", "no such command 'copyin'. Did you mean 'copying'?"),
        ("gen-data copying --source x", "no such option: --source"),
        ("gen-data recall --json", "--json requires a file for the examples: --out FILE"),
        ("gen-data ptb --source empty --count 3", "no such option: --count"),
        ("gen-data ptb --source empty --delay 3", "no such option: --delay"),
        ("gen-data ptb", "--source is missing: "),
        (
            "gen-data ptb --source nowhere",
            "nowhere does not exist; expected a directory or an archive",
        ),
        ("gen-data ptb --source empty", "empty has no ptb.train.txt, ptb.valid.txt, ptb.test.txt"),
        ("gen-data ptb --source bad.yaml", "bad.yaml is not an archive, or is damaged"),
        ("gen-data ptb --source ftp://x/y", "ftp://x/y: expected a URL that begins with"),
        ("gen-data ptb --source empty --out bad.yaml", "--out bad.yaml is a file; expected a"),
        ("gen-data recall --delay 7", "--delay 7: expected an even integer"),
        ("gen-data copying --count 0", "--count 0: expected at least 1"),
        ("gen-data copying --format npy", "unknown format 'npy'; did you mean 'npz'?"),
        ("gen-data copying --format npz", "--format npz requires a file: --out FILE.npz"),
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
def test_bad_input_is_reported_in_one_line_with_exit_code_2(workplace, arguments, expected):
    before = {path: path.stat().st_mtime_ns for path in workplace.rglob("*")}
    assert_one_line(rum(*arguments.split(), cwd=workplace), 2, expected)
    assert {path: path.stat().st_mtime_ns for path in workplace.rglob("*")} == before


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with an unfinished run, an empty folder and three wrong files."""
    place = tmp_path_factory.mktemp("workplace")
    made = rum("train", "copying", "--steps", 5, "--dry-run", "--quiet", cwd=place)
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


def test_name_that_is_too_long_is_reported(tmp_path):
    assert_one_line(rum("eval", "x" * 300, cwd=tmp_path), 2, "File name too long")


def test_control_characters_are_escaped_in_errors(tmp_path):
    result = rum("train", "co\x1b[31m\npying", cwd=tmp_path)
    assert_one_line(result, 2, "unknown task 'co [31m pying'")


@needs_a_full_device
def test_full_output_device_is_reported(tmp_path):
    result = shell("presets show copying > /dev/full", tmp_path)
    assert_one_line(result, 1, "No space left on device")
    assert "bug" not in result.stderr


@needs_a_full_device
def test_full_stderr_device_keeps_the_exit_code(tmp_path):
    assert shell("presets show nothing 2> /dev/full", tmp_path).returncode == 2


@pytest.mark.e2e
@needs_posix
def test_closed_output_ends_the_command_silently(tmp_path):
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


@pytest.mark.e2e
@needs_posix
def test_closed_streams_keep_the_result(tmp_path):
    result = shell("presets show copying --summary --json <&- 2>&-", tmp_path)
    assert validated(result.stdout, "presets-show-summary")["preset"] == "copying"
    assert result.returncode == 0


def test_unwritable_path_is_reported(tmp_path):
    (tmp_path / "runs").write_text("a file in the way")
    assert_one_line(rum("train", "copying", cwd=tmp_path), 2, "can't write to runs: File exists")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_directory_without_permission_is_reported(tmp_path):
    tmp_path.chmod(0o500)
    result = rum("train", "copying", cwd=tmp_path)
    tmp_path.chmod(0o700)
    assert_one_line(result, 2, "can't write to runs: Permission denied")


# Commands that need no backend, and mistakes that are found before it starts: each with its exit
# code and a part of its output.
WITHOUT_A_BACKEND = [
    ("--help", 0, "Usage: rum"),
    ("train --help", 0, "Usage: rum train"),
    ("--version", 0, "rum 0."),
    ("presets list", 0, "copying"),
    ("train copying --dry-run --quiet", 0, "name: copying"),
    ("gen-data copying --count 2", 0, "inputs"),
    ("gen-data ptb --source nowhere", 2, "nowhere does not exist"),
    ("train copyin", 2, "unknown task 'copyin'"),
    ("train copying --until acuracy>=1", 2, "--until acuracy>=1: unknown metric 'acuracy'"),
    ("train --preset until.yaml", 2, "until.yaml, line 2, column 9: train.until: unknown metric"),
    ("train copying --require los<1", 2, "--require los<1: unknown metric 'los'; did you mean"),
    ("train copying --require loss", 2, "--require loss: expected NAME>=NUMBER"),
    ("train babi --subtask all --require loss<1", 2, "unknown metric 'loss'; metrics: mean_acc"),
    ("train --resume run --require los<1", 2, "--require los<1: unknown metric 'los'"),
    ("train copying --cell nowhere.cells:Mine", 2, "nowhere.cells:Mine: there is no module nowh"),
    ("train copying --cell own.cells:Mine", 2, "own.cells:Mine: there is no module own.cells"),
    ("train copying --cell own:Mine", 2, "own:Mine: own has no Mine"),
    ("train copying --cell wrong:Mine", 2, "wrong:Mine: importing wrong fails: SyntaxError"),
    ("train nowhere:Task", 2, "nowhere:Task: there is no module nowhere"),
    ("eval nowhere", 2, "there is no run directory nowhere"),
    ("eval run", 1, "run has no 'best' checkpoint yet; to resume the run: rum train --resume run"),
    ("eval run --require los<1", 2, "--require los<1: unknown metric 'los'"),
    ("eval run --checkpoint LAST", 1, "run has no 'last' checkpoint yet"),
    ("eval run --examples 2", 2, "--examples 2: expected a run of 'babi'"),
    ("eval run --data x", 2, "--data x: run is a run of 'copying', which takes no data"),
    ("inspect run", 1, "run has no 'best' checkpoint yet"),
    ("inspect run --views angels", 2, "unknown view 'angels'; did you mean 'angles'?"),
    ("inspect run --grid 4", 2, "--grid 4: expected an odd number"),
    ("inspect run --radius -1234567", 2, "--radius -1234567: expected a number greater than 0"),
    ("export run", 1, "run has no 'best' checkpoint yet"),
    ("export run --format onxn", 2, "unknown format 'onxn'; did you mean 'onnx'?"),
    ("export run --out x.h5", 2, "--out x.h5: expected a name that ends in .keras, or a directory"),
    ("generate run", 2, "run"),
    ("import-checkpoint nowhere", 2, "nowhere"),
    ("plot run", 2, "run has no evaluation yet"),
    ("plot run --over tiem", 2, "unknown axis 'tiem'; did you mean 'time'? axes: steps, time"),
    ("compare run", 0, "copying"),
    ("bench --task copyin", 2, "unknown task 'copyin'"),
    ("bench --plot x.gif", 2, "--plot x.gif: expected a name that ends in"),
    ("rotation-check --dtype float16", 2, "unknown dtype 'float16'; dtypes: float32, float64"),
    ("presets show copyin --summary", 2, "unknown preset 'copyin'"),
    ("sweep nowhere.yaml", 2, "can't read nowhere.yaml"),
    ("reproduce copyin", 2, "unknown table 'copyin'; did you mean 'copying'?"),
    (
        "train recall --preset copying",
        2,
        "preset 'copying', line 3, column 3: the preset is for 'copying'",
    ),
    ("train copying --seed 4294967296", 2, "expected at most 4294967295, got 4294967296"),
    ("train copying --out full", 2, "--out full: it exists and is not empty"),
]


@pytest.fixture(scope="module")
def without_a_backend(tmp_path_factory):
    """Exit code, output and imported backends of each of these commands, in one process."""
    place = tmp_path_factory.mktemp("without")
    (place / "run").mkdir()
    (place / "full" / "x").mkdir(parents=True)
    (place / "own.py").write_text("import keras\n\nclass Other(keras.layers.SimpleRNN): pass\n")
    (place / "wrong.py").write_text("class Mine(:\n")
    (place / "until.yaml").write_text("task: {name: copying}\ntrain: {until: acuracy>=1}\n")
    code = (
        "import contextlib, io, json, pathlib, sys\nfrom rumcli.cli.app import main\n"
        "def run(arguments):\n"
        "    out = io.TextIOWrapper(io.BytesIO(), write_through=True)\n"
        "    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):\n"
        "        code = main(arguments)\n"
        "    out.flush()\n"
        "    found = sorted({'tensorflow', 'keras', 'jax'} & set(sys.modules))\n"
        "    return code, out.buffer.getvalue().decode(), found\n"
        "config = run(['train', 'copying', '--dry-run', '--quiet'])[1]\n"
        "pathlib.Path('run', 'config.yaml').write_text(config)\n"
        f"print(json.dumps([run(line.split()) for line, *_ in {WITHOUT_A_BACKEND!r}]))\n"
    )
    result = python(code, place)
    assert result.returncode == 0, result.stderr
    return dict(
        zip([line for line, *_ in WITHOUT_A_BACKEND], json.loads(result.stdout), strict=True)
    )


def test_commands_that_need_no_backend_import_none(without_a_backend):
    # In one test: else each worker of pytest-xdist would start the process.
    wrong = {
        line: (found, printed, imported)
        for line, code, expected in WITHOUT_A_BACKEND
        for found, printed, imported in [without_a_backend[line]]
        if (found, imported) != (code, []) or expected not in printed or "Traceback" in printed
    }
    assert wrong == {}


@pytest.mark.parametrize("arguments", [[], ["presets"], ["gen-data"]], ids=" ".join)
def test_help_is_shown_without_a_command(tmp_path, arguments):
    result = rum(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert "Usage: rum" in result.stdout
    assert result.stderr.startswith("rum: error: a command is missing; see 'rum")


def test_debug_shows_the_traceback(tmp_path):
    result = rum("train", "copyin", "--debug", cwd=tmp_path)
    assert result.returncode == 2
    assert "Traceback" in result.stderr
    assert "ConfigError: unknown task 'copyin'" in result.stderr


def test_commands_are_listed_without_importing_them(tmp_path):
    code = """if True:
        import sys
        from rumcli.cli.app import main
        assert main(['--help']) == 0
        assert not {f'rumcli.cli.{name}' for name in ('train', 'sweep', 'bench')} & set(sys.modules)
        assert not {'numpy', 'pydantic', 'yaml'} & set(sys.modules)
    """
    result = python(code, tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", sorted(app._COMMANDS))
def test_summary_in_the_list_is_that_of_the_command(name):
    summary = app._COMMANDS[name][2]
    assert app._loaded(name).help.split("\n\n")[0].replace("\n", " ") == summary


def test_version_and_help(tmp_path):
    assert rum("--version", cwd=tmp_path).stdout.startswith("rum 0.")
    shown = rum("train", "--help", cwd=tmp_path)
    assert shown.returncode == 0
    for option in ("--cell", "--norm", "--resume", "--dry-run", "--json", "--quiet", "--debug"):
        assert option in shown.stdout


def test_help_shows_no_type_after_a_flag(capsys):
    for command in ("train", "bench", "gen-data babi", "presets list", "gen-data", ""):
        main([*command.split(), "--help"])
        shown = capsys.readouterr().out
        assert "--help" in shown
        assert "<bool>" not in shown
        assert "list[" not in shown


def test_commands_with_the_name_of_a_task_and_integers_are_lenient(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["gen-data", "Copying", "--count", "1e0", "--delay", "1", "--format", "JSONL"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    assert (
        main(
            [
                "train",
                "COPYING",
                "--cell",
                "GRU",
                "--steps",
                "2e1",
                "--dry-run",
                "--quiet",
                "--json",
            ]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)["config"]
    assert (found["cell"]["name"], found["train"]["steps"]) == ("gru", 20)
    assert main(["train", "copying", "--steps", "1.5"]) == 2
    assert "expected an integer, got '1.5'" in capsys.readouterr().err


@pytest.mark.parametrize("width", [60, 79])
def test_help_fits_a_narrow_terminal_and_cuts_no_word(tmp_path, width):
    for command in ([], ["train"], ["reproduce"], ["presets", "show"]):
        shown = rum(*command, "--help", cwd=tmp_path, env={"COLUMNS": str(width)}).stdout
        assert max(map(len, shown.splitlines())) <= width
        assert not re.search(r"\w…", shown), command
    assert re.search(r"\n +rum presets show recall --summary\n", shown)


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
    code = "import sys; sys.argv[0] = 'rum'; from rumcli.__main__ import run; run()"
    result = python(code, tmp_path, variables)
    assert offered in result.stdout.split()
