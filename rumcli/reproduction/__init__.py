"""Reproduction of published tables of results; `jobs` executes the runs.

A table is a YAML file, and its results are a directory of ordinary run directories.
"""
