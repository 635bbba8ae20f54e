"""State-tracking examples: a symbol and a target at every step.

Every prefix of a sequence is a sequence with its own target, so a batch of length T trains all
lengths up to T in one program. The sources draw a length for each batch, between 3 and 40, and
have a target at the last step only.

Sources: Delétang et al., arXiv:2207.02098 (parity, cycle navigation, even pairs, modular
arithmetic); Merrill et al., arXiv:2404.08819 (word problems).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rumcli.data import splits
from rumcli.tasks.state_tracking import groups
from rumcli.tasks.state_tracking.config import StateTrackingConfig

MODULUS = 5
PLUS, MINUS, TIMES, EQUALS, OPEN, CLOSE = range(MODULUS, MODULUS + 6)
_TOKENS = (*map(str, range(MODULUS)), "+", "-", "×", "=", "(", ")")
_MAX_DEPTH = 16


@dataclass(frozen=True, eq=False)
class Problem:
    """A state-tracking problem.

    Attributes:
        symbols: Label of each input symbol.
        classes: Number of states, one of which is the target.
        generate: Function of random words `[n, W]`, the length T and the split that returns inputs
            and targets, `[n, T]` each.
        words_per_step: Random words for each step; one more serves for the split.
    """

    symbols: tuple[str, ...]
    classes: int
    generate: Callable[[np.ndarray, int, str], tuple[np.ndarray, np.ndarray]]
    words_per_step: int = 1


def problem_of(task: StateTrackingConfig) -> Problem:
    """Return the problem of a configuration."""
    if task.problem == "parity":
        return _word_problem(groups.make("Z2"), np.arange(2))
    if task.problem == "cycle":
        return _word_problem(groups.make("Z5"), np.array([4, 0, 1]), ("-1", "0", "+1"))
    if task.problem == "even_pairs":
        return Problem(("a", "b"), 2, _even_pairs)
    if task.problem == "modular":
        return Problem(_TOKENS[:OPEN], MODULUS, _modular)
    if task.problem == "modular_brackets":
        return Problem(_TOKENS, MODULUS, _modular_brackets, words_per_step=2)
    group = groups.make(task.problem)
    return _word_problem(group, group.symbols(task.generators))


def examples(
    task: StateTrackingConfig, seed: int, split: str, start: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Generate consecutive examples.

    For the arguments see `rumcli.tasks.registry.generate`.

    Returns:
        Input symbols and targets, `[n, T]` int32 each.
    """
    problem = problem_of(task)
    length = problem.words_per_step * task.length + 1
    words = splits.random_words(seed, split, start, count, length)
    inputs, targets = problem.generate(words, task.length, split)
    return inputs.astype(np.int32), targets.astype(np.int32)


def _word_problem(
    group: groups.Group, elements: np.ndarray, labels: tuple[str, ...] | None = None
) -> Problem:
    """Return the word problem: the target is the product of the elements read so far.

    Parity is that of Z2. Navigation on a cycle of five places is that of Z5 with the steps −1, 0
    and +1.
    """

    def generate(words: np.ndarray, length: int, split: str) -> tuple[np.ndarray, np.ndarray]:
        inputs = _symbols(words, length, len(elements), split)
        read = elements[inputs]
        targets = np.empty_like(read)
        state = np.zeros(len(read), dtype=read.dtype)
        for step in range(length):
            state = targets[:, step] = group.table[state, read[:, step]]
        return inputs, targets

    return Problem(labels or tuple(group.labels[one] for one in elements), group.order, generate)


def _even_pairs(words: np.ndarray, length: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return whether the number of pairs ab and ba is odd: whether first and last symbol differ."""
    inputs = _symbols(words, length, 2, split)
    return inputs, inputs != inputs[:, :1]


def _symbols(words: np.ndarray, length: int, base: int, split: str) -> np.ndarray:
    symbols = splits.random_below(words[:, :length], base)
    return splits.assign_to_split(symbols, words[:, -1], base, split, splits.checksum_digits(base))


def _modular(words: np.ndarray, length: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Generate digits joined by +, − and ×, with an equals sign at the end of an even length.

    The target is the value of the expression so far, where × precedes + and −; at an operator, the
    value before it.
    """
    tokens = np.full((len(words), length), EQUALS)
    operators = splits.random_below(words[:, 1 : length - 1 : 2], 3)
    tokens[:, 1 : length - 1 : 2] = PLUS + operators
    digits = splits.random_below(words[:, 0:length:2], MODULUS)
    if length % 2 == 0:
        digits = digits[:, : length // 2]
    tokens[:, 0 : length - 1 + length % 2 : 2] = splits.assign_to_split(
        digits, words[:, -1], MODULUS, split
    )
    return tokens, _values(tokens)


def _modular_brackets(words: np.ndarray, length: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Generate expressions with nested brackets.

    The target is the value of the innermost expression so far, 0 for an empty one; at the end, the
    value of the entire expression.
    """
    choices, rows = words[:, :length], np.arange(len(words))
    tokens = _brackets(choices, length)
    is_digit = tokens < MODULUS
    digits = splits.random_below(words[:, length : 2 * length], MODULUS)
    tokens = np.where(is_digit, digits, tokens)
    last = length - 1 - np.argmax(is_digit[:, ::-1], axis=1)
    rearranged = np.concatenate([tokens, tokens[rows, last][:, None]], axis=1)
    rearranged[rows, last] = 0
    tokens[rows, last] = splits.assign_to_split(rearranged, words[:, -1], MODULUS, split)[:, -1]
    return tokens, _values(tokens)


def _brackets(words: np.ndarray, length: int) -> np.ndarray:
    """Generate tokens `[n, T]` of balanced expressions in which every digit is 0.

    An expression has an odd number of tokens; an equals sign fills an even length.
    """
    tokens = np.full((len(words), length), EQUALS)
    depth = np.zeros(len(words), dtype=int)
    needs_operand = np.ones(len(words), dtype=bool)
    odd_length = length - 1 + length % 2
    for step in range(odd_length):
        remaining, word = odd_length - step, words[:, step]
        may_open = (remaining >= depth + 3) & (depth < _MAX_DEPTH) & (word % 3 == 0)
        # After an operand, `remaining - depth` is even: each further term takes two tokens.
        must_close = remaining == depth
        closes = must_close | ((depth > 0) & (word % 2 == 0))
        operators = PLUS + splits.random_below(word // np.uint64(6), 3)
        operand, other = np.where(may_open, OPEN, 0), np.where(closes, CLOSE, operators)
        token = tokens[:, step] = np.where(needs_operand, operand, other)
        depth += (token == OPEN).astype(int) - (token == CLOSE)
        needs_operand = (token == OPEN) | ((token >= PLUS) & (token <= TIMES))
    return tokens


def _values(tokens: np.ndarray) -> np.ndarray:
    """Return the value of the innermost expression after each token, modulo 5: `[n, T]`."""
    count, length = tokens.shape
    rows, depth = np.arange(count), np.zeros(count, dtype=int)
    # For each depth: sum of the finished terms, current term, operator before the next operand.
    total, term = (np.zeros((count, _MAX_DEPTH + 1), dtype=int) for _ in range(2))
    pending = np.full((count, _MAX_DEPTH + 1), PLUS)
    values = np.empty((count, length), dtype=int)
    for step in range(length):
        token = tokens[:, step]
        opens, closes = token == OPEN, token == CLOSE
        value = np.where(closes, total[rows, depth] + term[rows, depth], token)
        depth = depth + opens - closes
        at = rows, depth
        is_operator = (token >= PLUS) & (token <= TIMES)
        pending[at] = np.where(opens, PLUS, np.where(is_operator, token, pending[at]))
        total[at], term[at] = np.where(opens, 0, total[at]), np.where(opens, 0, term[at])
        is_operand, multiplies = (token < MODULUS) | closes, pending[at] == TIMES
        signed = np.where(pending[at] == MINUS, -value, value)
        total[at] += np.where(is_operand & ~multiplies, term[at], 0)
        new = np.where(multiplies, term[at] * value, signed) % MODULUS
        term[at] = np.where(is_operand, new, term[at])
        values[:, step] = (total[at] + term[at]) % MODULUS
    return values
