import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.errors import ConfigError
from rumcli.tasks.char_lm.bptt import BPTTWindows

sizes = st.integers(1, 12)


def numbered(length, streams, steps):
    """Make windows over a text in which every character is its own place."""
    return BPTTWindows(np.arange(length, dtype=np.int32), streams, steps)


@given(streams=sizes, steps=sizes, windows=sizes, data=st.data())
def test_training_windows_of_a_stream_are_consecutive_text(streams, steps, windows, data):
    per_stream = windows * steps + data.draw(st.integers(0, steps - 1))
    length = streams * per_stream + 1 + data.draw(st.integers(0, streams - 1))
    text = numbered(length, streams, steps)
    assert text.windows_per_epoch == windows
    inputs = np.concatenate([text.training_window(n)[0] for n in range(windows)], axis=1)
    starts = np.arange(streams) * ((length - 1) // streams)
    assert np.array_equal(inputs, starts[:, None] + np.arange(windows * steps))


@given(streams=sizes, steps=sizes, length=st.integers(150, 400), number=st.integers(0, 1000))
def test_a_training_target_is_the_character_after(streams, steps, length, number):
    inputs, targets = numbered(length, streams, steps).training_window(number)
    assert inputs.shape == targets.shape == (streams, steps)
    assert inputs.dtype == targets.dtype == np.int32
    assert np.array_equal(targets, inputs + 1)


@given(streams=sizes, steps=sizes, length=st.integers(150, 400))
def test_no_target_is_trained_on_twice_in_an_epoch(streams, steps, length):
    text = numbered(length, streams, steps)
    targets = [text.training_window(n)[1].ravel() for n in range(text.windows_per_epoch)]
    targets = np.concatenate(targets)
    assert len(np.unique(targets)) == len(targets)
    assert length - 1 - len(targets) < streams * steps  # the skipped symbols


def test_after_the_last_training_window_comes_the_first():
    text = numbered(100, 3, 5)
    for number in range(text.windows_per_epoch):
        again = text.training_window(number + 7 * text.windows_per_epoch)
        assert np.array_equal(text.training_window(number), again)


@given(streams=sizes, steps=sizes, length=st.integers(2, 400))
def test_evaluation_scores_every_character_but_the_first_once(streams, steps, length):
    text = numbered(length, streams, steps)
    scored = []
    for number in range(text.evaluation_windows):
        inputs, targets, weights = text.evaluation_window(number)
        assert inputs.shape == targets.shape == weights.shape == (streams, steps)
        assert (inputs.dtype, targets.dtype, weights.dtype) == (np.int32, np.int32, np.float32)
        assert set(weights.ravel()) <= {0.0, 1.0}
        assert np.array_equal(targets[weights == 1], inputs[weights == 1] + 1)
        assert not inputs[weights == 0].any()
        assert not targets[weights == 0].any()
        scored.append(targets[weights == 1])
    assert sorted(np.concatenate(scored)) == list(range(1, length))


@given(streams=sizes, steps=sizes, content=st.binary(min_size=2, max_size=400))
def test_evaluation_streams_are_the_text_in_order_with_pads_at_their_ends(streams, steps, content):
    text = BPTTWindows(np.frombuffer(content, dtype=np.uint8), streams, steps)
    windows = [text.evaluation_window(n) for n in range(text.evaluation_windows)]
    targets, weights = (np.concatenate([w[i] for w in windows], axis=1) for i in (1, 2))
    assert (np.diff(weights, axis=1) <= 0).all()
    assert bytes(targets[weights == 1].astype(np.uint8)) == content[1:]


def test_a_text_that_fills_one_window_of_every_stream_is_long_enough():
    text = numbered(128 * 150 + 1, 128, 150)
    assert text.windows_per_epoch == 1
    assert text.training_window(0)[1][-1, -1] == 128 * 150


@pytest.mark.parametrize("length", [0, 1, 2, 128 * 150])
def test_text_shorter_than_one_window_per_stream_is_rejected(length):
    with pytest.raises(ConfigError) as error:
        numbered(length, 128, 150).training_window(0)
    assert str(error.value) == (
        f"the training text has {length:,} characters; expected at least batch_size × length + 1 "
        "= 19,201: lower train.batch_size (128) or task.bptt_steps (150)"
    )


@pytest.mark.parametrize("length", [0, 1])
def test_text_without_a_target_is_rejected(length):
    with pytest.raises(ConfigError, match="nothing to predict"):
        _ = numbered(length, 2, 2).evaluation_windows


@pytest.mark.parametrize("number", [-1, 5])
def test_no_evaluation_window_exists_beyond_the_last(number):
    text = numbered(11, 2, 1)
    assert text.evaluation_windows == 5
    with pytest.raises(IndexError, match=f"window {number} of 5"):
        text.evaluation_window(number)


@pytest.mark.parametrize("window", ["training_window", "evaluation_window"])
def test_window_does_not_share_memory_with_the_text(window):
    text = numbered(100, 2, 3)
    for array in getattr(text, window)(0):
        array[:] = 0
    assert text.text.tolist() == list(range(100))
