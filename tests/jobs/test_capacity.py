import pytest
from hypothesis import given
from hypothesis import strategies as st

from rumcli.errors import ConfigError
from rumcli.jobs import capacity
from rumcli.jobs.capacity import Machine

MACHINES = st.lists(st.builds(Machine, st.integers(0, 64), st.integers(0, 8)), max_size=5)


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
    assert capacity.slots(machines, cores, gpus) == expected


@pytest.mark.parametrize(
    ("cores", "gpus", "expected"),
    [
        (9, 0, "cores_per_run: 9, but no machine has as many; the largest has 8"),
        (1, 3, "gpus_per_run: 3, but no machine has as many; the one with the most has 2"),
        (8, 0.5, "cores_per_run: 8 and gpus_per_run: 0.5, but no machine has both"),
    ],
)
def test_unavailable_resources_are_reported(cores, gpus, expected):
    with pytest.raises(ConfigError) as error:
        capacity.slots([Machine(8), Machine(4, 2)], cores, gpus)
    assert str(error.value) == expected


def test_no_run_fits_without_machines():
    with pytest.raises(ConfigError, match="the largest has 0"):
        capacity.slots([], 1)


@given(MACHINES, st.integers(1, 8), st.sampled_from([0, 0.25, 0.3, 0.5, 1, 2]))
def test_runs_never_exceed_cores_or_gpus(machines, cores, gpus):
    try:
        found = capacity.slots(machines, cores, gpus)
    except ConfigError:
        return
    assert 1 <= found * cores <= sum(machine.cores for machine in machines)
    assert found * gpus <= sum(machine.gpus for machine in machines) + 1e-6 or gpus == 0
