"""An exported model has the outputs of the run's model."""

import keras
import numpy as np
import pytest

from rumcli import cells, layers
from rumcli.config import Split
from rumcli.training import run_environment
from tests import small

KINDS = {
    "copying": ("copying", "gru", []),
    "recall": ("recall", "rum", ["model.layers=2"]),
    "words": ("babi", "gru", ["task.input_level=words"]),
    "sentences": ("babi", "rum", []),
    "characters": ("ptb", "lstm", ["model.layers=2", "model.dropout=0.5"]),
    "characters, two states": ("ptb", "arum", []),
}


@pytest.mark.parametrize(("name", "cell", "settings"), KINDS.values(), ids=KINDS)
def test_exported_model_matches_the_run_after_saving_and_loading(tmp_path, name, cell, settings):
    data = {"task__data": str(small.write_text(tmp_path / "text"))} if name == "ptb" else {}
    run = small.run_config(name, cell=cell, settings=settings, **data)
    run_environment.prepare_keras(run)
    task = small.task(run)
    model = task.model()
    model.run_eagerly = True  # tracing takes longer; the exported model is traced
    written = task.for_inference(model)
    written.save(tmp_path / "model.keras")
    read = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    before = None
    for number in range(min(3, task.num_batches(Split.VALIDATION))):
        inputs = task.evaluation_batch(Split.VALIDATION, number)[0]
        expected = model.predict_on_batch(inputs)
        given = task.inference_inputs(written, inputs, before)
        before = read.predict_on_batch(
            given if len(written.inputs) > 1 else next(iter(given.values()))
        )
        found = before["logits"] if isinstance(before, dict) else before
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_text_may_be_given_in_pieces_of_any_length(tmp_path):
    run = small.run_config("ptb", task__data=str(small.write_text(tmp_path / "text")))
    run_environment.prepare_keras(run)
    task = small.task(run)
    written = task.for_inference(task.model())
    symbols = np.arange(14, dtype="int32").reshape(2, 7) % 5
    wrong = np.full((2, 8), 9.0, dtype="float32")  # does not count where a text begins
    begins = {"reset": np.ones(2, dtype="float32"), "cell_state_1": wrong}
    whole = written.predict_on_batch({"symbols": symbols, **begins})["logits"]
    first = written.predict_on_batch({"symbols": symbols[:, :3], **begins})
    state = {"reset": np.zeros(2, dtype="float32"), "cell_state_1": first["cell_state_1_after"]}
    rest = written.predict_on_batch({"symbols": symbols[:, 3:], **state})["logits"]
    np.testing.assert_allclose(np.concatenate([first["logits"], rest], axis=1), whole, atol=1e-6)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        *((layers, name) for name in layers.__all__),
        *((cells, name) for name in dir(cells) if name[0].isupper()),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_every_layer_is_registered_with_keras(place, name):
    found = getattr(place, name)
    registered = keras.saving.get_registered_name(found)
    assert registered.startswith("rumcli>")
    assert keras.saving.get_registered_object(registered) is found
