"""Tables of published results, and ours beside them. How their runs run is in `jobs`.

A table is a YAML file; its results are a directory of ordinary run directories.
"""
