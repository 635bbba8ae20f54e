"""Command line, with one module for each subcommand, which parses options and renders results.

Commands import Keras and TensorFlow only when they need them.
"""
