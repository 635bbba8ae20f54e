"""Benchmarks of training time and memory: the package's cells against those of Keras.

Also describes the machine and the installed packages. `rumcli.reporting` formats the results.
"""
