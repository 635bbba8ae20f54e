"""Searches over hyperparameters: their points, each with several seeds, and their results.

`jobs` runs them.
"""
