"""Commands and layers where TensorFlow is not installed, and another backend is."""

import importlib.util
import os
import subprocess
import sys

import pytest

from tests import small
from tests.cli.commands import SMALL, SMALL_RUM, environment

pytestmark = pytest.mark.e2e

# Python imports this at its start. It finds all packages but the hidden ones.
SITE = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in {hidden}:
            return None
        return super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
"""
# Arguments on each line of stdin; the exit codes go to a file, one on each line.
COMMANDS = """
import shlex, sys
from rumcli.cli.app import main
codes = [main(shlex.split(line)) for line in sys.stdin]
open("codes.txt", "w").write(" ".join(map(str, codes)))
assert "tensorflow" not in sys.modules
"""
LAYERS = """
import keras, numpy, sys
from rumcli.cells import ARUM, EUNN, FSRNN, GORU, LNLSTM, RUM, LNLSTMCell, RUMCell, rotate
from rumcli.cells import DeltaProduct, LRU, SLSTM
fast_slow = FSRNN([LNLSTMCell(4), LNLSTMCell(4)], RUMCell(4))
ones = numpy.ones((2, 3, 4), "float32")
for layer in (ARUM(4), LNLSTM(4), EUNN(4), GORU(4), DeltaProduct(4), SLSTM(4), LRU(4), fast_slow):
    assert layer(ones).shape == (2, 4)
assert rotate(ones, ones, ones).shape == ones.shape
model = keras.Sequential([keras.Input((3, 4)), RUM(4), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(ones, ones[:, 0, :1], verbose=0)
print(keras.backend.backend(), "tensorflow" in sys.modules)
"""


def python(place, hidden, *command, stdin="", **variables):
    """Run Python with packages hidden from it."""
    (place / "sitecustomize.py").write_text(SITE.format(hidden=hidden))
    env = environment({"KERAS_BACKEND": "", "KERAS_HOME": str(place), **variables})
    env["PYTHONPATH"] = os.pathsep.join([str(place), env["PYTHONPATH"]])
    env["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # compiling takes longer than all else
    command = [sys.executable, *command]
    return subprocess.run(
        command, cwd=place, env=env, input=stdin, capture_output=True, text=True, check=False
    )


@pytest.fixture(params=["jax", "torch"])
def backend(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


def test_every_command_runs_without_tensorflow(tmp_path, backend):
    # given
    small.write_text(tmp_path / "text")
    train = f"train %s --steps=4 --quiet {' '.join(SMALL)} --out=%s"
    lines = {
        # First: it needs JAX with float64, which has to be switched on before JAX is imported.
        "rotation-check --dim=3 --batch=4 --dtype=float32": 0,
        f"train copying --steps=4 --quiet {' '.join(SMALL_RUM)} --out=copying": 0,
        "train --resume=copying --steps=6 --quiet": 0,
        train % ("recall", "recall"): 0,
        "train ptb --data=text --cell=gru --hidden=4 --batch-size=4 --steps=4 "
        "--set=task.bptt_steps=6 "
        "--set=task.eval_batch_size=3 --set=train.eval_every=4 --quiet --out=ptb": 0,
        "eval copying": 0,
        "generate ptb --prompt=a --length=3": 0,
        "export copying": 0,
        "export copying --format=savedmodel": 2,
        "export copying --format=onnx": 2,
        "import-checkpoint model.ckpt": 2,
        "inspect copying --out=inside.png --grid=3": 0,
        "compare copying recall": 0,
        "plot copying --out=curve.png": 0,
        "presets show copying_short --summary": 0,
        "doctor --no-speed": 0,
    }
    for ending in ("index", "data-00000-of-00001"):
        (tmp_path / f"model.ckpt.{ending}").touch()
    others = {"tensorflow", "jax", "torch"} - {backend}

    # when
    result = python(tmp_path, others, "-c", COMMANDS, stdin="\n".join(lines))

    # then
    assert result.returncode == 0, result.stderr
    codes = map(int, (tmp_path / "codes.txt").read_text().split())
    found = dict(zip(lines, codes, strict=True))
    assert [line for line in lines if found[line] != lines[line]] == [], result.stderr
    assert f"needs the backend tensorflow, not {backend}; " in result.stderr
    assert result.stderr.count("pip install 'rumcli[tensorflow]'") == 3


def test_layers_run_without_tensorflow(tmp_path, backend):
    hidden = {"tensorflow"}
    result = python(tmp_path, hidden, "-c", LAYERS, KERAS_BACKEND=backend)
    assert (result.returncode, result.stdout) == (0, f"{backend} False\n"), result.stderr


def test_want_of_any_backend_is_reported_in_one_line(tmp_path):
    hidden = {"tensorflow", "jax", "torch"}
    arguments = ["-m", "rumcli", "train", "copying", "--out=x"]
    result = python(tmp_path, hidden, *arguments)
    assert result.returncode == 2
    assert result.stderr == (
        "rum: error: Keras needs a backend, and none is installed; expected TensorFlow, JAX or "
        "PyTorch: pip install 'rumcli[tensorflow]', or pip install 'rumcli[jax]', or pip install "
        "'rumcli[torch]'\n"
    )
    assert not (tmp_path / "x").exists()
