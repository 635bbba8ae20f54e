"""Tables of figures that were published, and ours beside them: the runs, their order and time.

A table is a YAML file; what comes of it is a folder of ordinary run folders.
"""
