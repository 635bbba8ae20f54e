"""How long a training step takes, and how much memory: ours beside Keras's, in one run.

And what machine and packages there are. Measures; `rumcli.reporting` shows what it found.
"""
