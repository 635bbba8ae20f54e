"""Other platforms: no module needs more of the standard library than Windows has."""

from tests.cli.commands import python

# What Python lacks on Windows; https://docs.python.org/3/library/os.html names the platforms.
WINDOWS = """if True:
    import importlib, os, pkgutil, signal, sys, types
    # Without Keras, which takes seconds, and the extras.
    for name in (others := ("keras", "tensorflow", "jax", "torch", "ray", "optuna")):
        sys.modules[name] = None

    def import_all():
        import rumcli
        imported, without_keras = [], []
        for found in pkgutil.walk_packages(rumcli.__path__, "rumcli.", onerror=lambda name: None):
            if found.name == "rumcli.__main__":
                continue
            try:
                importlib.import_module(found.name)
                imported.append(found.name)
            except ImportError as error:
                blocked = (error.name or "").split(".")[0] in others
                assert blocked, (found.name, error)
                without_keras.append(found.name)
        assert {"rumcli.cli.train", "rumcli.training.lock", "rumcli.jobs.local"} <= {*imported}
        assert len(imported) > len(without_keras)

    # With the platform that they are for: other packages choose their code on import.
    import_all()
    for name in [name for name in sys.modules if name.partition(".")[0] == "rumcli"]:
        del sys.modules[name]

    for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
        sys.modules[name] = None
    sys.modules["msvcrt"] = msvcrt = types.ModuleType("msvcrt")
    locked, msvcrt.LK_NBLCK = [], 2
    msvcrt.locking = lambda number, mode, count: locked.append(
        (os.lseek(number, 0, os.SEEK_CUR), mode, count)
    )
    for module, names in (
        (os, "O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_CLOEXEC fork forkpty geteuid getpgid getuid"
             " killpg nice openpty pread pwrite sched_getaffinity setsid sync sysconf uname"),
        (signal, "SIGALRM SIGCHLD SIGHUP SIGKILL SIGQUIT SIGUSR1 SIGUSR2 SIG_BLOCK SIG_SETMASK"
                 " alarm pthread_kill pthread_sigmask setitimer siginterrupt sigwait"),
    ):
        for name in names.split():
            delattr(module, name)
    sys.platform = "win32"
    import_all()
"""
BEHAVIOR = """
    from pathlib import Path
    from rumcli import atomic_io, signals, system_info
    from rumcli.training import lock

    with lock.claimed(Path("run"), Path("."), "run", ["config.yaml"]) as place:
        assert locked == [(2**30, msvcrt.LK_NBLCK, 1)]
        assert lock.state(place) == lock.HELD
        atomic_io.write_text(place / "config.yaml", "x")
        atomic_io.append(place / "metrics.jsonl", b"{}")
    assert lock.state(place) == lock.FREE
    assert sorted(path.name for path in place.iterdir()) == ["config.yaml", "metrics.jsonl"]

    def refuse(number, mode, count):
        raise PermissionError
    msvcrt.locking = refuse
    try:
        with lock.held(place):
            raise AssertionError("another process holds the lock")
    except Exception as error:
        assert "is in use by another process" in str(error), error

    assert system_info.memory(Path("nowhere"))["total"] is None
    assert system_info.cores(Path("nowhere"))["usable"] >= 1
    with signals.listening() as request:
        signal.raise_signal(signal.SIGINT)
        assert request.signal == signal.SIGINT
"""


def test_nothing_that_windows_lacks_is_needed(tmp_path):
    result = python(WINDOWS + BEHAVIOR, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
