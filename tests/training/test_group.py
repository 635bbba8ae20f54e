import signal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.errors import ConfigError, RunError
from rumcli.training import group
from rumcli.training.group import ALONE, Group
from tests import small
from tests.training.together import together


@given(st.integers(1, 6), st.integers(1, 5))
def test_shards_are_equal_and_cover_the_batch(count, rows):
    whole = np.arange(count * rows)
    members = [Group() for _ in range(count)]
    for rank, member in enumerate(members):
        member.rank, member.count = rank, count
    shares = [whole[member.share(len(whole))] for member in members]
    assert {len(share) for share in shares} == {rows}
    np.testing.assert_array_equal(np.concatenate(shares), whole)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint32"])
def test_gathered_rows_match_bit_exactly(dtype):
    whole = np.random.default_rng(0).uniform(0, 1e6, (6, 3)).astype(dtype)
    found = together(3, lambda member: member.gather(whole[member.share(6)]))
    for one in found:
        assert one.dtype == whole.dtype
        np.testing.assert_array_equal(one, whole)


def test_array_of_the_chief_is_broadcast():
    arrays = [np.array([1.5, -2.0], "float32"), np.array([7.0, 8.0], "float32")]
    for one in together(2, lambda member: member.from_chief(arrays[member.rank])):
        np.testing.assert_array_equal(one, arrays[0])


def test_means_are_synchronized_and_one_stop_stops_all():
    def member_of(member):
        asked = signal.SIGTERM if member.rank == 2 else None
        return member.agree({"loss": float(member.rank)}, asked)

    assert together(4, member_of) == [({"loss": 1.5}, signal.SIGTERM)] * 4
    assert together(2, lambda member: member.agree({}, None)) == [({}, None)] * 2


def test_all_workers_take_the_same_of_two_signals():
    signals = [signal.SIGTERM, signal.SIGINT]
    found = together(2, lambda member: member.agree({}, signals[member.rank])[1])
    assert found == [signal.SIGINT] * 2


def test_non_finite_loss_is_shared_by_all_workers():
    losses = [1.0, float("nan")]
    found = together(2, lambda member: member.mean({"loss": losses[member.rank]}))
    assert all(np.isnan(one["loss"]) for one in found)


def test_arrays_that_differ_in_one_bit_raise_an_error_with_the_workers():
    def check(member, differing):
        array = np.ones(5, "float32")
        if member.rank == differing:
            array[3] = np.nextafter(array[3], 2)
        try:
            member.check_equal([np.zeros(2), array], "weights")
        except RunError as error:
            return str(error)
        return None

    assert together(3, lambda member: check(member, None)) == [None] * 3
    for message in together(3, lambda member: check(member, 1)):
        assert message.startswith("the weights of worker 1 are not those of worker 0; ")


def test_seeds_differ_between_workers_and_the_chief_keeps_the_run_seed():
    state = np.array([2**32 - 5, 17], "uint32")
    seeds = together(3, lambda member: member.seed(state))
    np.testing.assert_array_equal(seeds[0], state)
    assert len({int(seed[0]) for seed in seeds}) == 3
    assert {int(seed[1]) for seed in seeds} == {17}


def test_single_process_handles_a_signal_after_the_step():
    assert ALONE.latest(None, signal.SIGINT) == signal.SIGINT
    assert together(2, lambda member: member.latest(None, signal.SIGINT)) == [None] * 2


@pytest.mark.parametrize(("count", "near"), [(3, "6 or 9"), (16, "16")])
def test_indivisible_batch_raises_an_error_with_valid_sizes(count, near):
    with pytest.raises(ConfigError, match=f"a batch of 8 can't be shared .*--batch-size {near},"):
        group.check(small.run_config(), count)
    group.check(small.run_config(), 4)
