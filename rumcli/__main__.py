"""`python -m rumcli` is `rum`."""

from rumcli.cli.app import run

if __name__ == "__main__":
    run()
