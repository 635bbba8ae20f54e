"""The command line: one file per subcommand; each parses, calls, and renders.

Nothing here imports Keras or TensorFlow before a command needs it.
"""
