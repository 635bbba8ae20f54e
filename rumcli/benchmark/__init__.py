"""How long a training step takes, and how much memory: ours beside Keras's, in one run.

Measures; what it found is shown by `rumcli.reporting`.
"""
