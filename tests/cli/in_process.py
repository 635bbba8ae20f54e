"""`rum` inside the test's own process: the command without an interpreter and TensorFlow's import.

Everything that a command changes for its whole process is put back afterwards. Tests of signals,
terminals, closed streams or environment variables that libraries read at import need a process.
"""

import contextlib
import functools
import importlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

# Read whenever they are needed, not when a library is imported.
READ_LATE = {"COLUMNS", "CI", "FORCE_COLOR", "NO_COLOR", "TERM", "HOME", "XDG_CACHE_HOME"}


class _Stream(io.TextIOWrapper):
    """A text stream to memory, as a process has one to a pipe."""

    def __init__(self):
        from rumcli.reporting import console

        errors = console.UNENCODABLE
        super().__init__(io.BytesIO(), encoding="utf-8", errors=errors, newline="")

    def text(self):
        self.flush()
        return self.buffer.getvalue().decode("utf-8", "replace")


def run(arguments, cwd, env=None):
    """Run a command as `python -m rumcli` would, and return it as `subprocess.run` does.

    Args:
        arguments: Command line after `rum`.
        cwd: Working directory.
        env: Environment variables to set, all of `READ_LATE`.
    """
    out, err = _Stream(), _Stream()
    with _restored(cwd, {"COLUMNS": "100", **(env or {})}), contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        code = command()(arguments)
    return subprocess.CompletedProcess(["rum", *arguments], code, out.text(), err.text())


@functools.cache
def command():
    """Return `main` with Typer's command made once: that takes 0.1 s a call."""
    import typer

    from rumcli.cli import app as module

    made = typer.main.get_command(module.app)

    def main(arguments):
        original, module.app = module.app, made
        try:
            return module.main(arguments)
        finally:
            module.app = original

    return main


@contextlib.contextmanager
def _restored(cwd, env):
    """Enter a directory and an environment; afterwards put back all that a command may change."""
    from rumcli import plugins

    environment, path, modules = dict(os.environ), list(sys.path), set(sys.modules)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = Path.cwd()
    _reset_keras()
    os.chdir(cwd)
    os.environ.update(env)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        plugins._trusted.clear()
        for name in set(sys.modules) - modules:
            # Modules of the test's own directory: the next test may have others of that name.
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.startswith((str(cwd), "/tmp")) and "site-packages" not in file:
                del sys.modules[name]
        importlib.invalidate_caches()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        _reset_keras()


def _reset_keras():
    """Forget the names of layers and the precision, as a new process would have them."""
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "backend"):
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
        keras.utils.clear_session(free_memory=False)
