import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rumcli.errors import ConfigError, RunError
from rumcli.training import link as links
from rumcli.training.rendezvous import Address, Meeting, join, parse_address

HERE = Address("127.0.0.1", 0)


def nothing():
    pass


def met(count, ranks=None, seconds=20.0):
    """Return the links of the chief and the others, and who was turned away."""
    meeting, refused = Meeting(HERE, count), []
    with ThreadPoolExecutor(8) as pool:
        chief = pool.submit(meeting.gather, "seed: 1", nothing, refused.append, seconds)
        others = [
            pool.submit(join, meeting.address, rank, nothing, seconds)
            for rank in ranks or range(1, count)
        ]
    return chief, others, refused


@pytest.mark.parametrize(
    ("text", "expected"),
    [("host:29500", Address("host", 29500)), ("[::1]:80", Address("::1", 80))],
)
def test_an_address_is_a_host_and_a_port(text, expected):
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["host", "host:", ":80", "host:0", "host:65536", "host:-1", ""])
def test_invalid_address_is_rejected(text):
    with pytest.raises(ConfigError, match="expected HOST:PORT"):
        parse_address(text)


@pytest.mark.parametrize("text", ["0.0.0.0:29500", "[::]:29500", ":::29500", "[0::0]:29500"])
def test_address_must_name_one_host(text):
    with pytest.raises(ConfigError, match="expected the address at which the others reach worker"):
        parse_address(text)


def test_workers_are_connected_and_receive_the_chief_s_configuration():
    chief, others, refused = met(3)
    cluster = chief.result().cluster
    assert len(set(cluster)) == 3
    for rank, other in enumerate(others, 1):
        link, config = other.result()
        assert (link.rank, link.cluster, config) == (rank, cluster, "seed: 1")
    assert refused == []


def test_duplicate_worker_number_is_rejected_and_the_others_continue():
    meeting, refused = Meeting(HERE, 3), []
    with ThreadPoolExecutor(8) as pool:
        chief = pool.submit(meeting.gather, "", nothing, refused.append, 20.0)
        first = pool.submit(join, meeting.address, 1, nothing, 20.0)
        time.sleep(0.3)
        with pytest.raises(ConfigError, match="two workers came as number 1"):
            join(meeting.address, 1, nothing, 20.0)
        with pytest.raises(ConfigError, match="a worker came as number 7; expected 1 to 2"):
            join(meeting.address, 7, nothing, 20.0)
        join(meeting.address, 2, nothing, 20.0)
    assert chief.result().cluster == first.result()[0].cluster
    assert len(refused) == 2


def test_foreign_connections_are_ignored():
    meeting = Meeting(HERE, 2)
    with ThreadPoolExecutor(8) as pool:
        chief = pool.submit(meeting.gather, "", nothing, [].append, 20.0)
        for text in (b"GET / HTTP/1.1\r\n\r\n", b"[1]\n", b"\xff\xfe\n", b""):
            with socket.create_connection((meeting.address.host, meeting.address.port)) as one:
                one.sendall(text)
        other = pool.submit(join, meeting.address, 1, nothing, 20.0)
    assert chief.result().cluster == other.result()[0].cluster


def test_chief_times_out_and_names_the_missing_workers():
    chief, others, _ = met(3, ranks=[2], seconds=1.0)
    with pytest.raises(RunError, match=r"worker 1 of 3 did not come to 127\.0\.0\.1:"):
        chief.result()
    with pytest.raises(RunError, match=r"the chief at .* is gone"):
        others[0].result()


def test_worker_times_out_without_a_chief():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(RunError, match=f"no chief waits at 127.0.0.1:{port}: "):
        join(Address("127.0.0.1", port), 1, nothing, 0.5)


def test_stop_request_ends_waiting():
    class StoppedError(Exception):
        pass

    def stop():
        raise StoppedError

    with pytest.raises(StoppedError):
        Meeting(HERE, 2).gather("", stop, [].append, 20.0)


@pytest.fixture
def three():
    """Return the links of three processes that watch each other, and what each has heard."""
    chief, others, _ = met(3)
    all_links = [chief.result(), *(other.result()[0] for other in others)]
    heard = [[] for _ in all_links]
    for link, list_ in zip(all_links, heard, strict=True):
        link.watch(list_.append)
    return all_links, heard


def silence(link):
    """Close the connections of a process, as a kill does."""
    link._ending.set()
    for connection in link._others.values():
        connection.close()


@pytest.mark.parametrize(("gone", "name"), [(1, "worker 1"), (0, "worker 0, the chief,")])
def test_lost_worker_is_reported_to_all(three, gone, name):
    all_links, heard = three
    silence(all_links[gone])
    for rank in {0, 1, 2} - {gone}:
        assert all_links[rank].reason() == f"{name} is gone"
        deadline = time.monotonic() + 10
        while not heard[rank] and time.monotonic() < deadline:  # the callback runs just after
            time.sleep(0.01)
        assert heard[rank] == [f"{name} is gone"]


def test_failure_cause_is_reported_to_all(three):
    all_links, _ = three
    all_links[2].fail("there is no text")
    for rank in (0, 1):
        assert all_links[rank].reason() == "worker 2: there is no text"


def test_silent_worker_times_out(monkeypatch):
    monkeypatch.setattr(links, "_DEAD_AFTER", 0.5)
    chief, others, _ = met(2)
    chief.result().watch(lambda reason: None)
    # The other one is there, and gives no sign.
    assert chief.result().reason() == "worker 1 gave no sign of life for 0 seconds"
    silence(others[0].result()[0])


def test_heartbeats_keep_the_connection(monkeypatch):
    monkeypatch.setattr(links, "_DEAD_AFTER", 0.6)
    monkeypatch.setattr(links, "BEAT", 0.1)
    monkeypatch.setattr(links, "MOMENT", 1.5)
    chief, others, _ = met(2)
    both = [chief.result(), others[0].result()[0]]
    for link in both:
        link.watch(lambda reason: None)
    assert both[0].reason() is None
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda link: link.finish(), both))


def test_no_worker_ends_before_all_are_done(three):
    all_links, heard = three
    ended = []

    def finish(rank):
        all_links[rank].finish()
        ended.append(rank)

    threads = [threading.Thread(target=finish, args=(rank,)) for rank in (1, 2)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    assert ended == []
    finish(0)
    for thread in threads:
        thread.join(10)
    assert sorted(ended) == [0, 1, 2]
    assert heard == [[], [], []]
