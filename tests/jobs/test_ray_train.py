"""One run on a Ray cluster, without Ray: news, signals, resources, and how it ends."""

import queue
import signal
import sys
from types import SimpleNamespace

import pytest

from rumcli.errors import ConfigError, RunError
from rumcli.jobs import ray_train
from rumcli.jobs.ray_train import Mailbox
from rumcli.signals import StopRequest
from rumcli.training.listeners import Listener


class Actor:
    """An actor whose methods run at once, as `ray.get(actor.method.remote())` sees them."""

    def __init__(self, mailbox):
        for name in ("exchange", "take"):
            setattr(self, name, SimpleNamespace(remote=getattr(mailbox, name)))


class Recorder(Listener):
    def __init__(self):
        self.heard = []

    def stepped(self, step, logs):
        self.heard.append(step)

    def evaluated(self, record):
        self.heard.append(record)

    def ended(self):
        self.heard.append("ended")


@pytest.fixture
def mailbox(monkeypatch):
    resources = {"CPU": 4.0, "GPU": 2.0}
    ray = SimpleNamespace(get=lambda value: value, cluster_resources=lambda: resources)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(ray_train, "_EXCHANGE_SECONDS", 0.01)
    return Mailbox()


def follow(mailbox, request, error=None):
    ended = queue.Queue()
    ended.put(error)
    listener = Recorder()
    return ray_train._follow(Actor(mailbox), listener, request, ended), listener.heard


def test_progress_of_process_0_reaches_the_command_and_its_signal_all_processes(mailbox):
    requests = [StopRequest(), StopRequest()]
    first, second = (
        ray_train._Sender(Actor(mailbox), request, number == 0)
        for number, request in enumerate(requests)
    )
    first.stepped(1, {})
    first.evaluated({"step": 1})
    second.stepped(1, {})
    asked = StopRequest()
    asked.note(signal.SIGTERM)
    mailbox.take(asked.signal)
    first.stepped(2, {})
    first.end(("stopped", (2, int(signal.SIGTERM))))
    second.end(("stopped", (2, int(signal.SIGTERM))))
    assert [request.signal for request in requests] == [signal.SIGTERM] * 2
    outcome, _ = follow(mailbox, asked)
    assert outcome == ("stopped", (2, signal.SIGTERM))


def test_latest_step_and_every_evaluation_are_sent(mailbox):
    sender = ray_train._Sender(Actor(mailbox), StopRequest(), True)
    sender._ending.set()
    sender._thread.join()
    for step in (1, 2, 3):
        sender.stepped(step, {})
    sender.evaluated({"step": 3})
    mailbox.exchange([*sender._messages, ("finished", {"loss": 1.0})])
    outcome, heard = follow(mailbox, StopRequest())
    assert outcome == ("finished", {"loss": 1.0})
    assert heard == [3, {"step": 3}, "ended"]


@pytest.mark.parametrize(
    ("code", "kind"), [(ConfigError.exit_code, ConfigError), (RunError.exit_code, RunError)]
)
def test_failure_of_the_run_is_that_of_the_command(mailbox, code, kind):
    mailbox.exchange([("failed", ("the loss of step 2 is not finite", code))])
    with pytest.raises(kind, match="the loss of step 2 is not finite"):
        follow(mailbox, StopRequest())


def test_failure_of_the_cluster_is_one_line(mailbox):
    error = RuntimeError("Traceback\n  File x\nActorDiedError: The actor died\n")
    with pytest.raises(RunError, match="after at most 3 restarts: ActorDiedError: The actor died"):
        follow(mailbox, StopRequest(), error)


@pytest.mark.parametrize(
    ("workers", "expected"), [(2, {"CPU": 1, "GPU": 1}), (3, {"CPU": 1}), (4, {"CPU": 1})]
)
def test_worker_takes_a_gpu_if_there_are_enough(mailbox, workers, expected):
    assert ray_train._resources(workers) == expected


def test_more_workers_than_cores_raise_an_error(mailbox):
    with pytest.raises(ConfigError, match="--workers 5: the cluster has 4 cores; expected at"):
        ray_train._resources(5)


def test_engine_of_the_command_is_that_of_the_workers(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.delenv("JAX_ENABLE_X64", raising=False)
    assert ray_train._environment() == {"JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "jax"}
