"""Sets of runs: their directory, order, time and executors, under `rum sweep` and `rum reproduce`.

`engine` decides which run starts, continues or stops; `local` runs each in a process on this
machine, `cluster` on a Ray cluster, and only that one imports Ray.
"""
