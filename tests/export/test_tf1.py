"""Import of checkpoints that the original wrote with TensorFlow 1."""

from pathlib import Path

import keras
import numpy as np
import pytest

import rumcli.layers  # noqa: F401  # Keras knows our layers
from rumcli.errors import ConfigError, RunError
from rumcli.export import tf1
from tests.cells import reference
from tests.original_checkpoint import FIRST, LAST, under, variables, write_checkpoint

# The test of the command compiles a fused loop.
pytestmark = pytest.mark.usefixtures("_fused_loops_as_graphs")

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "public.npz"
TOLD = {"time_norm": None, "activation": "relu", "zoneout": 0.0}


def imported(prefix, cell, path, **told):
    checkpoint = tf1.TF1Checkpoint(prefix)
    scope = tf1.scope_of(checkpoint, None)
    found = tf1.import_cell(checkpoint, scope, cell, path, **{**TOLD, **told})
    return found, keras.saving.load_model(path, safe_mode=True)


CASES = {
    "rum": (LAST, {}, {}),
    "rum of the first version": (FIRST, {"layer_norm": True}, {"time_norm": 0.7}),
    "rum as in the language models": (
        LAST,
        {"layer_norm": True},
        {"time_norm": 1.0, "zoneout": 0.1, "activation": "tanh"},
    ),
    "rum without a gate": (LAST, {"layer_norm": True, "update_gate": False}, {"time_norm": 1.0}),
    "arum": (LAST, {}, {"time_norm": 2.0}),
}


SECOND_FORMS = ("rum of the first version", "rum without a gate")


@pytest.mark.parametrize(
    "case", [pytest.param(one, marks=[pytest.mark.slow] * (one in SECOND_FORMS)) for one in CASES]
)
def test_imported_model_matches_numpy(case, tmp_path):
    # given
    version, has, told = CASES[case]
    cell = case.split()[0]
    theirs, ours = variables(3, 6, version, **has)
    write_checkpoint(tmp_path / "model.ckpt", under("rnn/rum_cell", theirs))
    inputs = np.random.default_rng(1).standard_normal((2, 9, 3)).astype("float32")

    # when
    found, model = imported(tmp_path / "model.ckpt", cell, tmp_path / "cell.keras", **told)

    # then
    expected, _ = reference.run(
        cell.upper(), ours, inputs, layer_norm_order="after_sigmoid", **has, **told
    )
    np.testing.assert_allclose(model(inputs), expected, atol=2e-5)
    assert (found.features, found.units, found.scope) == (3, 6, "rnn/rum_cell")
    assert found.largest_difference <= 1e-5


@pytest.mark.skipif(not GOLDEN.exists(), reason=f"no golden arrays at {GOLDEN}")
@pytest.mark.parametrize(
    ("case", "cell", "told"),
    [
        ("rum", "rum", {}),
        ("rum_tanh", "rum", {"activation": "tanh"}),
        ("rum_ln_zoneout_eval", "rum", {"time_norm": 1.0, "zoneout": 0.1}),
        ("arum_ln", "arum", {"time_norm": 1.0}),
    ],
)
def test_imported_model_matches_the_original(case, cell, told, tmp_path):
    # given
    with np.load(GOLDEN, allow_pickle=False) as file:
        arrays = {
            key.removeprefix(f"{case}/"): file[key] for key in file if key.startswith(f"{case}/")
        }
    weights = {
        key.removeprefix("w.").replace(".", "/"): array
        for key, array in arrays.items()
        if key.startswith("w.")
    }
    write_checkpoint(tmp_path / "model", weights)

    # when
    _, model = imported(tmp_path / "model.index", cell, tmp_path / "cell.keras", **told)

    # then: the arrays of the original begin with another initial state
    layer = model.layers[-1]
    state = arrays["initial_state_0"]
    states = [state[:, -layer.cell.units :]]
    if cell == "arum":
        states.append(state[:, : -layer.cell.units])
    outputs = layer(arrays["x"], initial_state=states)
    np.testing.assert_allclose(np.asarray(outputs), arrays["y"], atol=2e-5)


def test_scopes_select_one_of_several_cells(tmp_path):
    theirs, _ = variables(3, 4)
    other, _ = variables(4, 5)
    write_checkpoint(tmp_path / "model", {**under("a/cell_0", theirs), **under("a/cell_1", other)})
    checkpoint = tf1.TF1Checkpoint(tmp_path)
    with pytest.raises(ConfigError, match="select one with --scope: a/cell_0, a/cell_1"):
        tf1.scope_of(checkpoint, None)
    with pytest.raises(ConfigError, match="no RUM in this scope; expected one of: a/cell_0"):
        tf1.scope_of(checkpoint, "b")
    scope = tf1.scope_of(checkpoint, "a/cell_1")
    found = tf1.import_cell(checkpoint, scope, "rum", tmp_path / "cell.keras", **TOLD)
    assert (found.features, found.units) == (4, 5)


def test_checkpoint_without_a_rum_lists_its_variables(tmp_path):
    write_checkpoint(tmp_path / "model", {"rnn/lstm_cell/kernel": np.zeros((3, 4), "float32")})
    with pytest.raises(ConfigError, match=r"no RUM of the original.*rnn/lstm_cell/kernel"):
        tf1.scope_of(tf1.TF1Checkpoint(tmp_path / "model"), None)


def test_invalid_checkpoint_is_rejected_without_leaving_files(tmp_path):
    with pytest.raises(ConfigError, match=r"expected the file model\.ckpt\.index"):
        tf1.TF1Checkpoint(tmp_path / "model.ckpt")
    with pytest.raises(
        ConfigError, match="is a directory; expected one checkpoint in it, got: none"
    ):
        tf1.TF1Checkpoint(tmp_path)
    (tmp_path / "torn.index").write_bytes(b"no index" * 20)
    with pytest.raises(ConfigError, match="can't read the TensorFlow checkpoint"):
        tf1.TF1Checkpoint(tmp_path / "torn")


def test_damaged_checkpoint_fails_without_leaving_files(tmp_path):
    # given
    theirs, _ = variables(3, 40)
    write_checkpoint(tmp_path / "model", theirs)
    data = tmp_path / "model.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])

    # when
    checkpoint = tf1.TF1Checkpoint(tmp_path / "model")
    with pytest.raises(RunError, match="model: "):
        tf1.import_cell(checkpoint, "", "rum", tmp_path / "cell.keras", **TOLD)

    # then
    assert not (tmp_path / "cell.keras").exists()
