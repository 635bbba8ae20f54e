import signal
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.errors import ConfigError, RunError
from rumcli.training import process_group
from rumcli.training.checkpoint import Checkpoint
from rumcli.training.process_group import ALONE, LostError, ProcessGroup
from tests import small


@dataclass(frozen=True)
class Among(ProcessGroup):
    """A process of a group in which the other processes only send numbers."""

    sent: tuple = (0, 0)

    def gather(self, number):
        found = list(self.sent)
        found[self.rank] = number
        return found


@given(st.integers(1, 6), st.integers(1, 5))
def test_shares_are_equal_and_cover_the_batch(count, rows):
    whole = np.arange(count * rows)
    shares = [ProcessGroup(rank, count).part((whole,))[0] for rank in range(count)]
    assert {len(share) for share in shares} == {rows}
    np.testing.assert_array_equal(np.concatenate(shares), whole)


def test_replicated_batch_stays_whole_and_its_layout_is_announced():
    layouts = []
    one = ProcessGroup(1, 2, 2, set_replicated=layouts.append)
    assert len(one.part(np.arange(3), replicated=True)) == 3
    assert len(one.part(np.arange(4))) == 2
    assert layouts == [True, False]


def test_signal_of_one_process_stops_all():
    sent = (0, int(signal.SIGTERM), int(signal.SIGINT))
    assert [Among(rank, 3, sent=sent).agree(sent[rank] or None) for rank in range(3)] == [
        signal.SIGTERM
    ] * 3
    assert Among(0, 2).agree(None) is None


def test_single_process_needs_no_other():
    checkpoint = Checkpoint(3, {}, {})
    assert ALONE.agree(signal.SIGTERM) == signal.SIGTERM
    assert ALONE.agree(None) is None
    assert ALONE.broadcast(b"settings") == b"settings"
    assert ALONE.broadcast_checkpoint(checkpoint) is checkpoint
    assert ALONE.gather(7) == [7]
    ALONE.check_equal([np.zeros(2)], "the model", "", RunError)


def test_checkpoint_of_process_0_is_broadcast_bit_exactly(monkeypatch):
    arrays = {"weights": np.array([1.5, np.nan], "float32"), "seed": np.array([2**31], "uint32")}
    parts = []
    monkeypatch.setattr(ProcessGroup, "broadcast", lambda self, mine: parts.append(mine) or mine)
    found = Among(0, 2).broadcast_checkpoint(Checkpoint(3, arrays, {"best": None}))
    monkeypatch.setattr(ProcessGroup, "broadcast", lambda self, mine: parts.pop(0))
    other = Among(1, 2).broadcast_checkpoint(None)
    for one in (found, other):
        assert (one.step, one.progress) == (3, {"best": None})
        assert {name: array.tobytes() for name, array in one.arrays.items()} == {
            name: array.tobytes() for name, array in arrays.items()
        }


def test_missing_checkpoint_of_process_0_is_missing_everywhere(monkeypatch):
    monkeypatch.setattr(ProcessGroup, "broadcast", lambda self, mine: mine)
    assert Among(0, 2).broadcast_checkpoint(None) is None


def test_one_differing_bit_raises_an_error_that_names_the_process():
    arrays = [np.zeros(3, "float32")]
    sent = []

    @dataclass(frozen=True)
    class Sending(Among):
        def gather(self, number):
            sent.append(number)
            return super().gather(number)

    with pytest.raises(RunError):
        Sending(0, 2).check_equal(arrays, "the model", "", RunError)
    same = Among(0, 2, sent=(0, sent[0]))
    same.check_equal(arrays, "the model", "", RunError)
    arrays[0] = np.array([0, 0, np.finfo("float32").smallest_subnormal])
    message = "the model of process 1 differs from that of process 0; try again"
    with pytest.raises(ConfigError, match=message):
        same.check_equal(arrays, "the model", "; try again", ConfigError)


def test_loss_of_a_process_replaces_the_exception_that_follows_from_it():
    def watch(one, error):
        with one.watched():
            raise error

    lost = ProcessGroup(
        0, 2, loss=lambda error: "process 1 ended" if "Gloo" in str(error) else None
    )
    with pytest.raises(LostError, match="process 1 ended"):
        watch(lost, ValueError("UNKNOWN: Gloo AllGather failed"))
    with pytest.raises(ValueError, match="a bug"):
        watch(lost, ValueError("a bug"))
    with pytest.raises(ValueError, match="Gloo"):
        watch(ALONE, ValueError("Gloo"))


@pytest.mark.parametrize(("count", "near"), [(3, "6 or 9"), (16, "16")])
def test_indivisible_batch_raises_an_error_with_valid_sizes(count, near):
    run = small.run_config()
    message = (
        f"--devices {count}: a batch of 8 cannot be split .* train.batch_size={near}, or another"
    )
    with pytest.raises(ConfigError, match=message):
        process_group.check_batch(run, count, f"--devices {count}")
    process_group.check_batch(run, 4, "--devices 4")


def test_data_path_is_not_a_shared_setting():
    run = small.run_config()
    assert process_group.settings(run) == process_group.settings(small.run_config())
    assert process_group.settings(run) != process_group.settings(
        small.run_config(settings=["seed=2"])
    )
    text = run.model_copy(update={"task": run.task.model_copy(update={"data": "/here"})})
    assert process_group.settings(text) == process_group.settings(run)
