import keras
import numpy as np
import pytest

from rumcli.errors import RunError
from rumcli.training import model_state


@pytest.fixture
def model():
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    made.compile(optimizer="sgd", loss="mse")
    return made


def test_captured_state_is_restored(model):
    arrays = model_state.capture(model)
    for variable in model.variables:
        variable.assign(keras.ops.ones_like(variable.value))
    model_state.restore(model, arrays)
    restored = model_state.capture(model)
    assert arrays.keys() == restored.keys()
    assert all(np.array_equal(arrays[name], restored[name]) for name in arrays)


@pytest.mark.parametrize("dtype", ["U3", "S3", "V4", "M8[s]", "complex64"])
def test_non_numeric_array_is_rejected(model, dtype):
    arrays = model_state.capture(model)
    name, array = next(iter(arrays.items()))
    with pytest.raises(RunError, match=f"'{name}' has shape .* and type .*; expected "):
        model_state.restore(model, {**arrays, name: np.zeros(array.shape, dtype)})


@pytest.mark.parametrize("shape", [(), (3, 2), (2, 3, 1), (0,)], ids=str)
def test_an_array_of_another_shape_is_rejected(model, shape):
    arrays = model_state.capture(model)
    name = next(iter(arrays))
    with pytest.raises(RunError, match=f"'{name}' has shape .*; expected "):
        model_state.restore(model, {**arrays, name: np.zeros(shape, "float32")})


@pytest.mark.parametrize("dtype", ["int64", "uint32"])
def test_random_state_of_another_backend_is_restored(dtype):
    # given a variable of backends with unsigned and with signed states
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.5)])
    model.compile(optimizer="sgd", loss="mse")
    arrays = model_state.capture(model)
    (name,) = (name for name in arrays if "seed_generator_state" in name)

    # when
    model_state.restore(model, {**arrays, name: np.array([7, 9], dtype)})

    # then
    assert model_state.capture(model)[name].tolist() == [7, 9]


def test_integers_that_a_variable_cannot_hold_are_rejected(model):
    model.add_weight(shape=(2,), dtype="uint8", name="small", trainable=False)
    arrays = model_state.capture(model)
    (name,) = (name for name in arrays if "small" in name)
    model_state.restore(model, {**arrays, name: np.array([7, 255], "int64")})
    for values in ([-1, 0], [0, 256]):
        with pytest.raises(RunError, match=f"'{name}' has shape .* and type .*; expected "):
            model_state.restore(model, {**arrays, name: np.array(values, "int64")})
