"""Execution of sets of runs for `rum sweep` and `rum reproduce`: directories, order and budgets.

`engine` decides which run starts, continues or stops. `local` executes each run in a process on
this machine, and `cluster` on a Ray cluster; only the latter imports Ray.
"""
