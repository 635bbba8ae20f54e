import importlib.util
import json
import sys

import numpy as np
import pytest
import yaml

from rumcli.config import yaml_io
from tests.cli.commands import assert_one_line, has_control_characters, python, rum
from tests.documents import validated

READ_KERAS = """
import keras, numpy, rumcli.layers
model = keras.saving.load_model("copying-rum-1-keras", safe_mode=True)
numpy.save("keras", model.predict(numpy.arange(48).reshape(2, 24) % 9, verbose=0))
"""
READ_SAVED_MODEL = """
import sys
sys.modules["rumcli"] = sys.modules["keras"] = None
import numpy, tensorflow
serve = tensorflow.saved_model.load("there/served").signatures["serving_default"]
symbols = tensorflow.constant(numpy.arange(48).reshape(2, 24) % 9, "int32")
numpy.save("savedmodel", serve(symbols=symbols)["output_0"])
keras = numpy.load("keras.npy")
assert keras.shape == (2, 24, 9) and keras.std() > 0
numpy.testing.assert_allclose(numpy.load("savedmodel.npy"), keras, atol=1e-5)
"""
READ_ONNX = """
import sys
sys.modules["rumcli"] = sys.modules["keras"] = sys.modules["tensorflow"] = None
import numpy, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
symbols = (numpy.arange(48).reshape(2, 24) % 9).astype("int32")
(found,) = session.run(None, {"symbols": symbols})
assert found.shape == (2, 24, 9) and found.std() > 0
"""
# A format whose outputs are off by one half.
WRONG = """
import sys
from rumcli.cli.app import main
from rumcli.export import model_export
read = model_export.read_model
def damaged(kind, path):
    return lambda given: {"logits": read(kind, path)(given)["logits"] + 0.5}
model_export.read_model = damaged
sys.exit(main(["export", sys.argv[1]]))
"""


@pytest.mark.e2e
def test_keras_and_tensorflow_load_the_exported_model(tmp_path, finished_run):
    (tmp_path / "there").mkdir()
    result = rum("export", finished_run, "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    found = validated(result.stdout, "export")
    assert found["path"] == "copying-rum-1-keras"
    assert found["largest_difference"] <= found["tolerance"] <= 0.1
    assert found["examples_compared"] == 15
    assert found["inputs"] == [{"name": "symbols", "shape": [None, 24], "dtype": "int32"}]
    result = rum("export", finished_run, "--format=savedmodel", "--out=there/served", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "symbols [any, 24] int32" in result.stdout
    assert not has_control_characters(result.stdout)
    for code in (READ_KERAS, READ_SAVED_MODEL):
        result = python(code, tmp_path)
        assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["served"]


@pytest.mark.e2e
def test_onnx_export_succeeds_or_names_the_missing_package(tmp_path, finished_run):
    result = rum("export", finished_run, "--format=onnx", "--out=model.onnx", cwd=tmp_path)
    if importlib.util.find_spec("tf2onnx") is None:
        assert_one_line(result, 2, "pip install 'rumcli[onnx]'")
        assert list(tmp_path.iterdir()) == []
        return
    assert result.returncode == 0, result.stderr
    result = python(READ_ONNX, tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.e2e
def test_export_with_different_outputs_is_deleted(tmp_path, finished_run):
    result = python(WRONG.replace("sys.argv[1]", repr(str(finished_run))), tmp_path)
    assert result.returncode == 1, result.stderr
    assert "differ from those of the run's model" in result.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def front_matter(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_a_directory_has_model_card_and_configuration(tmp_path, finished_run):
    import keras

    # given
    result = rum("export", finished_run, "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    place = tmp_path / "copying-rum-1-keras"
    names = {path.name for path in place.iterdir()}
    # The layout in which Keras saves to the Hugging Face Hub and loads from it.
    assert names == {
        *("config.json", "metadata.json", "model.weights.h5"),
        *("README.md", "config.yaml"),
    }
    assert json.loads(result.stdout)["bytes"] == sum(p.stat().st_size for p in place.iterdir())

    # then
    card = (place / "README.md").read_text(encoding="utf-8")
    summary = json.loads((finished_run / "summary.json").read_text())
    ((found,),) = [each["results"] for each in front_matter(card)["model-index"]]
    metrics = {each["type"]: each["value"] for each in found["metrics"]}
    assert metrics == {name: summary[name] for name in ("loss", "symbol_accuracy")}
    assert found["dataset"] == {"type": "copying", "name": "copying", "split": "test"}
    settings = yaml_io.read(place / "config.yaml").values
    assert settings["cell"]["units"] == 8
    assert isinstance(keras.saving.load_model(place, safe_mode=True), keras.Model)

    # and when it is exported again
    assert_one_line(rum("export", finished_run, cwd=tmp_path), 2, "-keras exists; choose another")
    assert rum("export", finished_run, "--force", cwd=tmp_path).returncode == 0


def test_safetensors_load_back_equal_with_the_code_of_the_card(tmp_path, finished_run, monkeypatch):
    pytest.importorskip("safetensors", reason="the extra safetensors is not installed")
    result = rum("export", finished_run, "--format=safetensors", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["largest_difference"] <= 1e-6
    place = tmp_path / "copying-rum-1-safetensors"
    assert {path.name for path in place.iterdir()} == {
        *("model.safetensors", "README.md", "config.yaml")
    }
    card = (place / "README.md").read_text(encoding="utf-8")
    code = card.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(place)
    names = {}
    exec(code, names)
    with np.load(finished_run / "checkpoints" / "best.npz") as checkpoint:
        expected = [checkpoint[name] for name in checkpoint.files if name.startswith("model/")]
    found = names["model"].get_weights()
    assert len(found) > 3
    assert all(any(np.array_equal(one, other) for other in expected) for one in found)


@pytest.mark.usefixtures("_keras_is_not_started")
def test_the_missing_package_of_a_format_is_named(tmp_path, finished_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    result = rum("export", finished_run, "--format=safetensors", cwd=tmp_path)
    assert_one_line(result, 2, "safetensors, not installed: pip install 'rumcli[safetensors]'")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nowhere"], "there is no run directory nowhere"),
        (["{run}", "--format=kera"], "--format kera: unknown format 'kera'; did you mean 'keras'?"),
        (
            ["{run}", "--out=x.h5"],
            "--out x.h5: expected a name that ends in .keras, or a direct",
        ),
        (["{run}", "--out=there.keras"], "there.keras exists; choose another name, or --force"),
        (["{run}", "--out=no/x.keras"], "can't write no/x.keras: No such file or directory"),
        (
            ["{run}", "--format=savedmodel", "--out=mine", "--force"],
            "mine exists and is not a savedmodel export; choose another name",
        ),
        (
            ["{run}", "--format=savedmodel", "--out=x.keras"],
            "--out x.keras: expected a directory",
        ),
        (["{run}", "--out=mine"], "mine exists and is not a keras export; choose another name"),
        (["{run}", "--data=x"], "--data x: {run} is a run of 'copying', which takes no data"),
        (["{run}", "--checkpoint=first"], "--checkpoint first: unknown checkpoint 'first'"),
    ],
)
def test_usage_errors_are_reported_in_one_line(tmp_path, finished_run, arguments, expected):
    (tmp_path / "there.keras").write_bytes(b"mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    arguments = [argument.format(run=finished_run) for argument in arguments]
    result = rum("export", *arguments, cwd=tmp_path)
    assert_one_line(result, 2, expected.format(run=finished_run))
    assert (tmp_path / "there.keras").read_bytes() == b"mine"
    assert (tmp_path / "mine" / "letter.txt").read_text() == "mine"
