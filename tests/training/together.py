"""Several processes of one run, as threads of this one that add up through a barrier."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from rumcli.training.group import Group


class _Table:
    def __init__(self, count):
        self.barrier = threading.Barrier(count, timeout=60)
        self.values = [None] * count


class InThread(Group):
    """One of them."""

    def __init__(self, rank, table):
        self.rank, self.count, self._table = rank, len(table.values), table

    def sum(self, values):
        self._table.values[self.rank] = np.asarray(values, "float64")
        self._table.barrier.wait()
        total = np.sum(self._table.values, axis=0)
        self._table.barrier.wait()  # no process starts the next sum before all have read
        return total


def together(count, function):
    """Return what `function(group)` returns in each of `count` members of a group, by rank."""
    table = _Table(count)

    def run(rank):
        try:
            return function(InThread(rank, table))
        except BaseException:
            table.barrier.abort()
            raise

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
