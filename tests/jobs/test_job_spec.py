""""""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.errors import ConfigError
from rumcli.jobs import job_spec
from rumcli.jobs.job_spec import Machine, Share, TimeLimit

MACHINES = st.lists(st.builds(Machine, st.integers(0, 64), st.integers(0, 8)), max_size=5)

TIMES = st.floats(1.0, 1e6)
SHARES = st.lists(
    st.builds(Share, st.floats(0.01, 1000), st.just(0.0) | TIMES), min_size=1, max_size=100
)


@pytest.mark.parametrize(
    ("machines", "cores", "gpus", "expected"),
    [
        ([Machine(2)], 1, 0, 2),
        ([Machine(3), Machine(5)], 2, 0, 3),
        ([Machine(16, 4), Machine(16)], 1, 1, 4),
        ([Machine(2, 4)], 1, 1, 2),
        ([Machine(16, 3)], 1, 2, 1),
        ([Machine(16, 2)], 1, 0.5, 4),
        ([Machine(16, 2)], 1, 0.4, 4),
        ([Machine(16, 1)], 1, 0.1, 10),
    ],
)
def test_runs_need_cores_and_gpus_of_one_machine(machines, cores, gpus, expected):
    assert job_spec.slots(machines, cores, gpus) == expected


@pytest.mark.parametrize(
    ("cores", "gpus", "expected"),
    [
        (9, 0, "cores_per_run: 9 exceeds the 8 cores of the largest machine"),
        (1, 3, "gpus_per_run: 3 exceeds the 2 GPUs of the largest machine"),
        (8, 0.5, "cores_per_run: 8 and gpus_per_run: 0.5, but no machine has both"),
    ],
)
def test_unavailable_resources_are_reported(cores, gpus, expected):
    with pytest.raises(ConfigError) as error:
        job_spec.slots([Machine(8), Machine(4, 2)], cores, gpus)
    assert str(error.value) == expected


def test_no_run_fits_without_machines():
    with pytest.raises(ConfigError, match="exceeds the 0 cores"):
        job_spec.slots([], 1)


@given(MACHINES, st.integers(1, 8), st.sampled_from([0, 0.25, 0.3, 0.5, 1, 2]))
def test_runs_never_exceed_cores_or_gpus(machines, cores, gpus):
    try:
        found = job_spec.slots(machines, cores, gpus)
    except ConfigError:
        return
    assert 1 <= found * cores <= sum(machine.cores for machine in machines)
    assert found * gpus <= sum(machine.gpus for machine in machines) + 1e-6 or gpus == 0


def new_shares(*sizes):
    """Return shares of runs that were not started."""
    return [Share(size) for size in sizes]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("45S", 45), (" 0.5h ", 1800), ("1h1m1s", 3661)],
)
def test_a_time_is_read(text, seconds):
    assert job_spec.parse_budget(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "30", "m", "0m", "-1h", "1d", "1h 30m", "inf", "9999999h", "³m"]
)
def test_wrong_form_is_rejected_with_the_expected_one(text):
    with pytest.raises(ConfigError, match="expected a time such as 30m, 2h or 1h30m"):
        job_spec.parse_budget(text)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(1, 59))
def test_hours_minutes_and_seconds_are_added(hours, minutes, seconds):
    assert (
        job_spec.parse_budget(f"{hours}h{minutes}m{seconds}s")
        == 3600 * hours + 60 * minutes + seconds
    )


@given(TIMES, st.integers(1, 8), st.lists(TIMES, max_size=8), SHARES, TIMES)
def test_no_share_goes_beyond_the_end_or_into_the_past(seconds, slots, running, waiting, now):
    given_to = TimeLimit.budget(seconds, now, slots)
    end = given_to.until(now, [now + one for one in running], waiting)
    assert now <= end <= given_to.last + 1e-6
    assert given_to.last < now + seconds


@given(st.floats(600, 1e6), st.integers(1, 8), st.integers(1, 40))
def test_runs_that_use_their_full_shares_get_equal_times(seconds, slots, runs):
    # given
    whole = TimeLimit.budget(seconds, 0.0, slots)
    times = []
    running = []

    # when: one after the other, wherever a place is free
    now = 0.0
    for waiting in range(runs, 0, -1):
        if len(running) == slots:
            now = min(running)
            running.remove(now)
        running.append(whole.until(now, running, new_shares(*[1] * waiting)))
        times.append(running[-1] - now)

    # then
    fair = min(whole.last, slots * whole.last / runs)
    if fair > job_spec.MIN_SHARE and runs % slots == 0:
        assert times == pytest.approx([fair] * runs, rel=1e-6)
    assert sum(times) <= slots * whole.last * (1 + 1e-9)


def test_unused_time_goes_to_waiting_runs():
    whole = TimeLimit.budget(1000.0, 0.0, 1)
    assert whole.until(0.0, [], new_shares(1, 1, 1)) == pytest.approx(940 / 3)
    assert whole.until(40.0, [], new_shares(1, 1)) - 40 == pytest.approx(450)


def test_a_run_with_three_shares_has_three_times_as_much():
    whole = TimeLimit.budget(1000.0, 0.0, 1)
    assert whole.until(0.0, [], new_shares(3, 1)) == pytest.approx(940 * 3 / 4)
    assert whole.until(0.0, [], new_shares(1, 3)) == pytest.approx(940 / 4)


def test_run_with_more_of_an_earlier_budget_gets_less():
    # given: 940 seconds; the last one had more than all will have, and neither gets nor loses
    whole = TimeLimit.budget(1000.0, 0.0, 1)
    waiting = [Share(1), Share(1, 60.0), Share(2, 200.0), Share(1, 5000.0)]

    # when
    ends = []
    now = 0.0
    for index in range(3):
        now = whole.until(now, [], waiting[index:])
        ends.append(now)

    # then: 300 for each share
    assert ends == pytest.approx([300, 540, 940])


@given(SHARES, st.integers(1, 8), st.floats(600, 1e6))
def test_budget_is_fully_used_and_runs_behind_catch_up(waiting, slots, seconds):
    # given
    waiting.sort(key=lambda share: share.level)

    # when
    whole = TimeLimit.budget(seconds, 0.0, slots)
    level = job_spec._level(slots * whole.last, waiting)

    # then
    due = [max(0.0, level * share.size - share.had) for share in waiting]
    assert sum(due) == pytest.approx(slots * whole.last, rel=1e-6)
    assert due[0] > 0


def test_the_time_of_all_tests_is_kept_apart():
    whole = TimeLimit.budget(1000.0, 0.0, 1)
    assert whole.until(0.0, [], new_shares(1, 1, 1), test=20.0) == pytest.approx((940 - 60) / 3)
    assert whole.until(700.0, [800.0], new_shares(1), test=20.0) == pytest.approx(700 + 100)


def test_last_run_gets_the_remaining_time():
    whole = TimeLimit.budget(1000.0, 0.0, 2)
    assert whole.until(500.0, [900.0], new_shares(2)) == whole.last


def test_stopped_run_is_not_restarted_for_a_few_seconds():
    whole = TimeLimit.budget(1000.0, 0.0, 1)
    assert whole.may_begin(930.0, again=False)
    assert not whole.may_begin(930.0, again=True)
    assert not whole.may_begin(937.0, again=False)
    assert whole.is_over(940.0)
    assert not whole.is_over(939.0)
