import numpy as np
import pytest

from rumcli.data import splits
from rumcli.tasks.state_tracking import data, groups
from rumcli.tasks.state_tracking.config import AUTOMATA, StateTrackingConfig

PROBLEMS = [*AUTOMATA, "S3", "Z60"]


def generate(problem, length=9, split="train", start=0, count=50, **options):
    task = StateTrackingConfig(problem=problem, length=length, **options)
    return data.examples(task, 3, split, start, count)


@pytest.mark.parametrize("generators", [None, 2])
@pytest.mark.parametrize("name", ["S3", "A5"])
def test_target_is_the_product_of_all_elements_so_far(name, generators):
    group = groups.make(name)
    symbols, (inputs, targets) = (
        group.symbols(generators),
        generate(name, count=5, generators=generators),
    )
    for row, states in zip(inputs, targets, strict=True):
        state = 0
        for symbol, expected in zip(row, states, strict=True):
            state = group.table[state, symbols[symbol]]
            assert state == expected


def test_automata_have_their_defining_targets():
    bits, odd = generate("parity")
    assert np.array_equal(odd, np.cumsum(bits, axis=1) % 2)
    moves, place = generate("cycle")
    assert np.array_equal(place, np.cumsum(moves - 1, axis=1) % 5)
    letters, uneven = generate("even_pairs")
    changes = np.cumsum(letters[:, 1:] != letters[:, :-1], axis=1) % 2
    assert np.array_equal(uneven[:, 1:], changes)


def innermost(text):
    """Return the part of an expression inside its innermost open bracket, without operators at the
    end: what a target is the value of."""
    depth = 0
    for place in range(len(text) - 1, -1, -1):
        depth += (text[place] == ")") - (text[place] == "(")
        if depth < 0:
            text = text[place + 1 :]
            break
    return text.rstrip("=").rstrip("+-*") or "0"


@pytest.mark.parametrize("problem", ["modular", "modular_brackets"])
@pytest.mark.parametrize("length", [3, 8, 31])
def test_target_of_arithmetic_is_the_value_of_the_expression_so_far(problem, length):
    inputs, targets = generate(problem, length)
    symbols = data.problem_of(StateTrackingConfig(problem=problem)).symbols
    for row, values in zip(inputs, targets, strict=True):
        text = "".join(symbols[token] for token in row).replace("×", "*")
        found = [eval(innermost(text[: step + 1])) % 5 for step in range(length)]
        assert found == list(values), text


def test_brackets_are_nested_and_balanced():
    inputs, _ = generate("modular_brackets", 41, count=200)
    steps = np.cumsum((inputs == data.OPEN).astype(int) - (inputs == data.CLOSE), axis=1)
    assert (steps[:, -1] == 0).all()
    assert steps.min() == 0
    assert steps.max() > 2


@pytest.mark.parametrize("problem", PROBLEMS)
def test_examples_are_a_function_of_seed_split_and_index(problem):
    whole = generate(problem)
    for one, part in zip(whole, generate(problem, start=20, count=7), strict=True):
        assert np.array_equal(one[20:27], part)
    assert not np.array_equal(whole[0], generate(problem, split="test")[0])


@pytest.mark.parametrize("problem", PROBLEMS)
def test_splits_are_disjoint(problem):
    seen = {
        split: {tuple(row) for row in generate(problem, 7, split, count=400)[0]}
        for split in splits.SPLITS
    }
    assert not seen["train"] & seen["validation"]
    assert not seen["train"] & seen["test"]
    assert not seen["validation"] & seen["test"]


@pytest.mark.parametrize("split", splits.SPLITS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_symbols_and_final_targets_are_balanced_in_every_split(problem, split):
    """The rule that separates the splits must not give the targets away."""
    inputs, targets = generate(problem, 40, split, count=4000)
    classes = targets.max() + 1
    shares = np.bincount(targets[:, -1], minlength=classes) / len(targets)
    # A digit 0 is as frequent as others, but a product is 0 more often.
    least, most = (0.1, 0.4) if "modular" in problem else (0.5 / classes, 1.6 / classes)
    assert least < shares.min()
    assert shares.max() < most
    if "modular" not in problem:
        last = np.bincount(inputs[:, -1]) / len(inputs)
        assert last.min() > 0.6 / len(last)
