"""Finite groups by their multiplication tables: cyclic, symmetric and alternating groups."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from rumcli.tasks.state_tracking.config import order_of


@dataclass(frozen=True, eq=False)
class Group:
    """A finite group. Its elements are numbered from 0, which is the identity.

    Attributes:
        labels: Label of each element: a residue, or the images of 0, 1, … under a permutation.
        table: Products `[N, N]`: `table[a, b]` is the product ab, that is, a followed by b.
    """

    labels: tuple[str, ...]
    table: np.ndarray

    @property
    def order(self) -> int:
        """Number of elements, N."""
        return len(self.labels)

    def symbols(self, count: int | None) -> np.ndarray:
        """Return the elements that serve as input symbols.

        Args:
            count: Number of elements, from 2; None for all.

        Returns:
            `[count]` numbers of elements. The first two generate the group, and every element is
            the product of N of them for some N, so that no symbol count reveals the state. The
            others follow in ascending order.
        """
        if count is None:
            return np.arange(self.order)
        pair = next(
            pair
            for pair in itertools.combinations(self._identity_last, 2)
            if self._reaches_all(pair)
        )
        others = [element for element in self._identity_last if element not in pair]
        return np.array([*pair, *others][:count])

    @property
    def _identity_last(self) -> list[int]:
        """Elements in ascending order, with the identity, which changes no state, last."""
        return [*range(1, self.order), 0]

    def _reaches_all(self, symbols: tuple[int, ...]) -> bool:
        """Return whether every element is a product of N symbols for some N."""
        current = np.zeros(self.order, bool)
        current[0] = True
        reached = current.copy()
        for _ in range(2 * self.order):
            products = self.table[current][:, symbols]
            current = np.zeros(self.order, bool)
            current[products] = True
            if current.all():
                return True
            before = reached.sum()
            reached |= current
            if reached.sum() == before and not reached.all():
                return False  # they generate a subgroup
        return False


@functools.lru_cache(maxsize=8)
def make(name: str) -> Group:
    """Return a group by its name.

    Args:
        name: `Zn` (integers modulo n), `Sn` (permutations of n) or `An` (even permutations of n).

    Raises:
        ValueError: As for `order_of`.
    """
    order, kind, degree = order_of(name), name[0], int(name[1:])
    if kind == "Z":
        numbers = np.arange(order)
        return Group(tuple(map(str, numbers)), (numbers[:, None] + numbers) % order)
    permutations = [p for p in itertools.permutations(range(degree)) if kind == "S" or _is_even(p)]
    elements = np.array(permutations)
    # A permutation as a number to base `degree`; the elements are in ascending order.
    weights = degree ** np.arange(degree - 1, -1, -1)
    codes = elements @ weights
    products = np.array([elements[:, p] @ weights for p in permutations])
    table = np.searchsorted(codes, products)
    return Group(tuple("".join(map(str, p)) for p in permutations), table)


def _is_even(permutation: tuple[int, ...]) -> bool:
    pairs = itertools.combinations(permutation, 2)
    return sum(one > other for one, other in pairs) % 2 == 0
