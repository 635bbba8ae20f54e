"""`rumcli.train` and its companions, which share their code with the commands."""

import inspect
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import keras
import pytest

import rumcli
from rumcli.cli import _training
from rumcli.cli.train import train as command
from rumcli.errors import ConfigError, RunError
from rumcli.jobs import execution
from rumcli.jobs.execution import Ending
from rumcli.training.callback import RunCallback
from tests import babi
from tests.cli.commands import environment, python, rum
from tests.sweeps.files import run_of, sweep, write_run, write_sweep

SMALL = {
    "delay": 4,
    "hidden": 4,
    "batch_size": 4,
    "steps": 4,
    "quiet": True,
    "set": {"train.eval_every": 2, "task.validation_examples": 8, "task.test_examples": 8},
}
# Options for several devices and hosts, and for how a command prints.
OF_THE_COMMAND = {
    *("devices", "coordinator", "processes", "process", "timeout", "ray", "workers"),
    *("dry_run", "as_json", "debug"),
}


class Tiny(keras.layers.SimpleRNN):
    """A layer that this module defines."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return rumcli.train("recall", cell="gru", out=tmp_path_factory.mktemp("api") / "run", **SMALL)


def test_import_imports_neither_keras_nor_the_command_line(tmp_path):
    code = """if True:
        import sys, rumcli
        assert not {'typer', 'rich', 'numpy', 'keras'} & set(sys.modules)
        assert callable(rumcli.train), dir(rumcli)
        assert not {'keras', 'tensorflow', 'jax', 'torch', 'matplotlib'} & set(sys.modules)
    """
    result = python(code, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", sorted({*rumcli.__all__} - {"__version__"}))
def test_no_module_has_the_name_of_a_function(name):
    assert not [*Path(rumcli.__file__).parent.glob(f"{name}.py")]
    assert not (Path(rumcli.__file__).parent / name).exists()
    assert name in dir(rumcli)
    assert getattr(rumcli, name).__doc__


def test_a_missing_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'rumcli' has no attribute 'trian'"):
        _ = rumcli.trian


def test_arguments_are_the_options_of_the_command():
    theirs = [*inspect.signature(command).parameters]
    ours = [*inspect.signature(rumcli.train).parameters]
    assert set(theirs) - OF_THE_COMMAND == set(ours)
    assert set(theirs) >= OF_THE_COMMAND


def test_an_instance_of_a_callback_is_rejected_with_the_expected_form():
    with pytest.raises(ConfigError, match=r"^callbacks: expected classes or .*, got an instance"):
        rumcli.train("recall", callbacks=object())


def test_an_unknown_argument_is_rejected_before_anything_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^unknown argument 'logger'; did you mean 'loggers'\?"):
        rumcli.train("recall", logger="csv")
    with pytest.raises(ConfigError, match=r"^unknown argument 'job'; did you mean 'jobs'\?"):
        rumcli.sweep("copying", job=2)
    with pytest.raises(ConfigError, match=r"^unknown argument 'lengths'; did you mean 'length'\?"):
        rumcli.evaluate("run", lengths=3)
    assert list(tmp_path.iterdir()) == []


def test_run_has_what_its_directory_has(run):
    assert [record["step"] for record in run.history] == [2, 4]
    assert run.summary["steps"] == 4
    assert (run.config.task.delay, run.config.train.eval_every) == (4, 2)
    assert (run.path / "curves.svg").exists()
    assert eval(repr(run)).summary == run.summary
    assert "recall with gru, test split" in str(run)


def test_same_arguments_give_the_run_of_the_command(run, tmp_path):
    options = [f"--set={key}={value}" for key, value in SMALL["set"].items()]
    small = ["--delay=4", "--hidden=4", "--batch-size=4", "--steps=4", *options]
    result = rum("train", "recall", "--cell=gru", "--out=run", *small, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    theirs = rumcli.load(tmp_path / "run")
    assert theirs.config == run.config
    without_time = [
        [{k: v for k, v in record.items() if k != "seconds"} for record in one.history]
        for one in (run, theirs)
    ]
    assert without_time[0] == without_time[1]


def test_model_has_the_weights_that_the_summary_is_of(run):
    found = rumcli.evaluate(run, quiet=True)
    assert found["schema"] == "rum/eval/1"
    assert found["loss"] == pytest.approx(run.summary["loss"])
    assert rumcli.evaluate(run.path, "validation", quiet=True)["split"] == "validation"
    assert run.model is run.model
    assert run.model.count_params() == run.summary["parameters"]
    with pytest.raises(RunError, match=r"^the result does not meet accuracy>=2 \(got "):
        rumcli.evaluate(run, require="accuracy>=2", quiet=True)


def test_figure_is_shown_by_a_notebook_and_saved(run, tmp_path):
    figure = run.plot(tmp_path / "curve.svg", theme="dark")
    assert figure.axes[0].get_title() == "recall"
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "curve.svg").read_text()
    with pytest.raises(ConfigError, match=r"curve\.svg exists"):
        run.plot(tmp_path / "curve.svg")


def test_compared_runs_are_rows_and_a_table(run):
    rows = rumcli.compare(run, run.path)
    assert [row["cell"] for row in rows] == ["gru"]
    assert (rows[0]["task"], rows[0]["value"]) == ("recall", run.summary["accuracy"])
    assert "recall: highest accuracy first" in str(rows)
    assert "text/html" in rows._repr_mimebundle_((), ())


def test_a_sweep_is_a_list_of_points_and_a_table(tmp_path, monkeypatch):
    folder, plan = sweep(tmp_path, [{"optimizer.learning_rate": 0.01}], max_runs=2)
    for seed in (1, 2):
        write_run(folder, run_of(plan, 1, seed, folder.points()[0]), [0.5], test=0.25)
    found = rumcli.sweep(resume=folder.path, quiet=True)
    assert [point["settings"] for point in found] == [{"optimizer.learning_rate": 0.01}]
    assert found[0]["test"]["mean"] == 0.25
    assert (found.path, found.document["schema"]) == (folder.path, "rum/sweep/1")
    assert "copying, grid search: lowest loss first" in str(found)
    assert str(rumcli.sweep(results=folder.path)) == str(found)


@pytest.mark.parametrize(
    ("ending", "error", "message"),
    [
        (Ending(signal.SIGINT), KeyboardInterrupt, r"^stopped; .*: rumcli\.sweep\(resume='new'"),
        (Ending(signal.SIGTERM), SystemExit, "143"),
        (RunError("disk full"), RunError, r"^disk full; to resume: rumcli\.sweep\(resume='new', j"),
    ],
)
def test_a_stopped_sweep_names_the_call_that_continues_it(
    tmp_path, monkeypatch, ending, error, message
):
    def run(*arguments):
        if isinstance(ending, Exception):
            raise ending
        return ending

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(execution, "run", run)
    path = write_sweep(tmp_path)
    with pytest.raises(error, match=message):
        rumcli.sweep(path, out="new", jobs=2, quiet=True)


@pytest.mark.e2e
def test_a_script_sweeps_outside_of_a_main_block(tmp_path):
    write_sweep(tmp_path, seeds=[1])
    (tmp_path / "script.py").write_text(
        "import rumcli\nprint('here')\n"
        "print(len(rumcli.sweep('sweep.yaml', out='out', quiet=True)[0]['runs']))\n"
    )
    result = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, "here\n1\n"), result.stderr


def test_help_describes_each_option():
    for function in (rumcli.train, rumcli.evaluate, rumcli.sweep):
        arguments = inspect.getdoc(function).partition("Args:")[2].partition("Returns:")[0]
        for name in inspect.signature(function).parameters:
            assert len(re.findall(rf"^    {name}: \S", arguments, re.MULTILINE)) == 1, name
        assert not re.search(r"--[a-z]", arguments)


@pytest.mark.usefixtures("_keras_is_not_started")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rumcli.train("recal"), "unknown task 'recal'; did you mean 'recall'?"),
        (lambda: rumcli.train("recall", cell="arun"), "cell='arun': unknown cell 'arun'"),
        (lambda: rumcli.train("recall", hidden="x"), "hidden='x': expected an integer"),
        (lambda: rumcli.train("babi", subtask=0), "subtask='0': expected a number from 1 to 20"),
        (lambda: rumcli.train("recall", set={"train.evl": 1}), "set='train.evl=1': unknown key"),
        (
            lambda: rumcli.train("recall", set={"seed": object()}),
            "expected values that YAML can represent",
        ),
        (lambda: rumcli.train("recall", require="x>1"), "require='x>1': unknown metric 'x'"),
        (lambda: rumcli.train("recall", cell=lambda: 1), "at the top level of a module"),
        (lambda: rumcli.load("missing"), "there is no run directory missing"),
        (lambda: rumcli.evaluate("missing"), "there is no run directory missing"),
        (lambda: rumcli.compare(), "which runs?"),
        (lambda: rumcli.train(resume=True), "resume: there is no unfinished run in 'runs'"),
        (lambda: rumcli.train("recall", from_scratch=True), "from_scratch=True requires resume,"),
        (lambda: rumcli.train(resume="x", out="y"), "resume and out are mutually exclusive"),
        (lambda: rumcli.train("recall", preset="no.yaml"), "can't read no.yaml"),
        (lambda: rumcli.sweep(), "which sweep? Expected a FILE, or resume=DIRECTORY"),
        (lambda: rumcli.sweep("x.yaml", jobs=0), "jobs=0: expected at least 1"),
        (lambda: rumcli.sweep("x.yaml", budget="long"), "budget='long': expected a time"),
        (lambda: rumcli.sweep("x.yaml", results="y"), "results and file are mutually exclusive"),
    ],
)
def test_errors_are_those_of_the_command(call, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as error:
        call()
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    "given",
    [{"optimizer.learning_rate": 1e-05}, ["optimizer.learning_rate=0.00001"]],
    ids=["values of Python", "texts"],
)
def test_set_takes_values_and_texts(given, monkeypatch):
    planned = []
    monkeypatch.setattr(_training, "execute", lambda plan, *_: planned.append(plan) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        rumcli.train("recall", set=given)
    assert planned[0].config.optimizer.learning_rate == 1e-05


@pytest.fixture
def interrupted(monkeypatch):
    """Send SIGINT to this process after the second step of a run."""
    original = RunCallback.on_train_batch_end

    def ended(self, batch, logs=None):
        if self._progress.step == 1:
            signal.raise_signal(signal.SIGINT)
        original(self, batch, logs)

    monkeypatch.setattr(RunCallback, "on_train_batch_end", ended)


def test_interrupt_saves_and_the_run_is_resumed(run, tmp_path, interrupted, monkeypatch):
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        rumcli.train("recall", cell="gru", out=tmp_path / "run", **SMALL)
    call = f"rumcli.train(resume='{tmp_path}/run')"
    assert str(interrupt.value) == f"stopped; saved at step 2 of 4; to resume: {call}"
    assert signal.getsignal(signal.SIGINT) is handler
    stopped = rumcli.load(tmp_path / "run")
    assert stopped.summary is None
    assert str(stopped).startswith(f"run in {tmp_path}/run, not finished; to resume: rumcli.train(")
    monkeypatch.undo()
    resumed = rumcli.train(resume=stopped, quiet=True)
    assert resumed.summary["loss"] == run.summary["loss"]


def test_empty_path_to_resume_is_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"^\. is empty; expected the directory of a run$"):
        rumcli.train(resume="")


@pytest.mark.e2e
def test_all_subtasks_are_interrupted_and_resumed(tmp_path, interrupted, monkeypatch):
    from rumcli.tasks.babi import config

    monkeypatch.setattr(config, "SUBTASKS", (1,))
    babi.write_subtasks(tmp_path / "en", numbers=(1,), train=20, test=6)
    small = {**SMALL, "delay": None, "set": {"train.eval_every": 2, "task.embedding": 4}}
    expected = r"^stopped; all runs are saved; to resume: rumcli\.train\(resume="
    with pytest.raises(KeyboardInterrupt, match=expected):
        rumcli.train(
            "babi",
            cell="gru",
            subtask="all",
            data=tmp_path / "en",
            out=tmp_path / "all",
            **small,
        )
    monkeypatch.undo()
    monkeypatch.setattr(config, "SUBTASKS", (1,))
    run = rumcli.train(resume=tmp_path / "all", quiet=True)
    assert run.summary["mean_accuracy"] == rumcli.load(run.path / "qa1").summary["accuracy"]
    assert "subtask" in str(run)
    assert run.plot().axes
    with pytest.raises(RunError, match=r"has a run for each subtask; load one of them, as in "):
        _ = run.model


def test_runs_in_another_thread_with_a_class_of_its_own(tmp_path, interrupted):
    """There are no signal handlers there: the signal goes to the main thread's."""
    found, received = [], []
    before = signal.signal(signal.SIGINT, lambda *_: received.append(True))
    out = tmp_path / "run"
    thread = threading.Thread(
        target=lambda: found.append(rumcli.train("recall", cell=Tiny, out=out, **SMALL))
    )
    try:
        thread.start()
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    (run,) = found
    assert received
    assert run.config.cell.factory == f"{__name__}:Tiny"
    assert any(isinstance(layer, Tiny) for layer in run.model.layers)
    with pytest.raises(ConfigError, match="the configuration names code"):
        _ = rumcli.load(out).model
    assert rumcli.load(out, trust_code=True).model is not None


def test_precision_of_the_program_is_restored(run):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        rumcli.evaluate(run, quiet=True)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")


def test_progress_in_a_notebook_needs_widgets(monkeypatch):
    from rumcli.reporting import console

    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not console.is_live()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "ipywidgets")
    assert console.is_live()
    assert console.text_of("plain") == "plain"
