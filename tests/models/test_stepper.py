import keras
import numpy as np
import pytest

from rumcli.models.stepper import Stepper
from tests import small

CELLS = [("rum", 2), ("arum", 1), ("fsrnn", 1), ("lstm", 2), ("gru", 1), ("rnn", 1)]


@pytest.mark.parametrize(("cell", "layers"), CELLS)
def test_stepwise_logits_match_the_whole_window(tmp_path, cell, layers):
    keras.utils.set_random_seed(1)
    settings = [f"model.layers={layers}", "task.bptt_steps=5", "model.dropout=0.5"]
    run = small.run_config(
        "ptb", cell, settings=settings, task__data=str(small.write_text(tmp_path))
    )
    model = small.task(run).model()
    symbols = np.array([[0, 3, 1, 1, 2]], dtype="int32")
    expected = model({"symbols": symbols, "begins": np.ones(1, "float32")})

    step = Stepper(model)
    states, found = step.first_states(), []
    for symbol in symbols[0]:
        logits, *states = step([np.array([symbol]), *states])
        found.append(keras.ops.convert_to_numpy(logits)[0])

    # The loop over the window adds in another order: float32.
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(expected)[0], atol=1e-5)
