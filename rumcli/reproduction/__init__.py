"""Tables of published results with ours beside them. `jobs` runs their runs.

A table is a YAML file; its results are a directory of ordinary run directories.
"""
