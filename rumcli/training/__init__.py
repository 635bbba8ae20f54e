"""Training, evaluation, run directories and checkpoints.

Events are reported through `Listener`. `rumcli.reporting` prints them.
"""
