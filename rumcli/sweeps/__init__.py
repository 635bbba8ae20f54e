"""Hyperparameter searches: their points, each with several seeds, and their results.

`jobs` executes the runs.
"""
