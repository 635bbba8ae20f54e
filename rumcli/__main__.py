"""Entry point of `rum`: `python -m rumcli` and the installed script."""

import signal

# Before `signals.install`, Ctrl-C must end the process without a traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import os
import sys

from rumcli import signals


def run() -> None:
    """Run `rum` as a process."""
    _fill_closed_streams()
    signals.install()
    try:
        from rumcli.cli import app
    except BaseException:
        if (number := signals.ended_by()) is None:
            raise
        sys.stderr.write("rum: error: interrupted\n")
        sys.exit(128 + number)
    app.run()


def _fill_closed_streams() -> None:
    """Redirect closed standard streams, as with `2>&-`, to the null device.

    Otherwise the next opened file gets the descriptor of the stream, and TensorFlow's messages are
    written to that file. `sys.stdout` stays None, because a result without a reader is an error.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(2, "w")  # noqa: SIM115


if __name__ == "__main__":
    run()
