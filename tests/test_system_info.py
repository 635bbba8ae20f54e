import pytest

from rumcli import system_info

GIGABYTE = 2**30
MEMINFO = f"MemTotal: {64 * 2**20} kB\nMemFree: 1 kB\nMemAvailable: {40 * 2**20} kB\nHugePages: 0\n"


def system(root, **files):
    """Write files of Linux's under a folder; `__` is `/`."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_memory_is_that_of_the_machine_without_limits(tmp_path):
    root = system(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/\n")
    assert system_info.memory(root) == {
        "total": 64 * GIGABYTE,
        "limit": None,
        "available": 40 * GIGABYTE,
    }


def test_the_narrowest_limit_of_a_container_and_those_around_it_counts(tmp_path):
    group = "sys__fs__cgroup__outer"
    root = system(
        tmp_path,
        proc__meminfo=MEMINFO,
        proc__self__cgroup="0::/outer/inner\n",
        **{
            f"{group}__memoryDOTmax": f"{4 * GIGABYTE}\n",
            f"{group}__memoryDOTcurrent": f"{3 * GIGABYTE}\n",
            f"{group}__memoryDOTstat": f"anon 5\ninactive_file {GIGABYTE}\n",
            f"{group}__inner__memoryDOTmax": "max\n",
            f"{group}__inner__memoryDOTcurrent": "7\n",
            f"{group}__cpuDOTmax": "150000 100000\n",
            f"{group}__inner__cpuDOTmax": "max 100000\n",
        },
    )
    # The cache of read files can be freed: 2 of 4 GB are in use.
    assert system_info.memory(root) == {
        "total": 64 * GIGABYTE,
        "limit": 4 * GIGABYTE,
        "available": 2 * GIGABYTE,
    }
    assert system_info.cores(root)["quota"] == 1.5


@pytest.mark.parametrize(
    ("limit", "expected"), [(2 * GIGABYTE, 2 * GIGABYTE), (9223372036854771712, None)]
)
def test_control_groups_of_version_1_are_read_too(tmp_path, limit, expected):
    root = system(
        tmp_path,
        proc__meminfo=MEMINFO,
        proc__self__cgroup="5:cpu,cpuacct:/\n4:memory:/docker/x\n",
        sys__fs__cgroup__memory__docker__x__memoryDOTlimit_in_bytes=str(limit),
        sys__fs__cgroup__memory__docker__x__memoryDOTusage_in_bytes=str(GIGABYTE),
        sys__fs__cgroup__cpu__cpuDOTcfs_quota_us="50000",
        sys__fs__cgroup__cpu__cpuDOTcfs_period_us="100000",
    )
    assert system_info.memory(root)["limit"] == expected
    assert system_info.memory(root)["available"] == (GIGABYTE if expected else 40 * GIGABYTE)
    assert system_info.cores(root)["quota"] == 0.5


def test_memory_is_unknown_without_system_files(tmp_path):
    assert system_info.memory(tmp_path)["available"] is None
    assert system_info.cores(tmp_path)["quota"] is None


def test_this_machine_has_cores_and_memory():
    cores = system_info.cores()
    assert 1 <= cores["usable"] <= cores["machine"]
    found = system_info.memory()
    assert found["total"] > 2**28
    assert found["available"] is None or 0 < found["available"] <= found["total"]
