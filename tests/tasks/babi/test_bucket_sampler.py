import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rumcli.tasks.babi.bucket_sampler import BucketSampler

lengths = st.lists(st.integers(1, 30), min_size=1, max_size=60).map(np.array)
sizes = st.integers(1, 20)


@given(lengths, sizes, st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_no_example_repeats_in_an_epoch(lengths, size, seed, number):
    passes = BucketSampler(lengths, size, seed)
    steps = range(number * passes.batches, (number + 1) * passes.batches)
    found = np.concatenate([passes.batch(step) for step in steps])
    assert len(found) == passes.batches * size
    # Where a batch has more than there are, each comes as often as the others, or once less.
    counts = np.bincount(found, minlength=len(lengths))
    assert counts.max() <= -(-size // len(lengths))


@given(lengths, sizes, st.integers(0, 2**32 - 1))
def test_batches_have_similar_lengths(lengths, size, seed):
    passes = BucketSampler(lengths, size, seed)
    batches = [lengths[passes.batch(step)] for step in range(passes.batches)]
    ordered = sorted(batches, key=lambda found: (found.min(), found.max()))
    for one, next_one in itertools.pairwise(ordered):
        assert one.max() <= next_one.min()


def test_a_batch_depends_on_seed_and_step_only():
    lengths = np.arange(100) % 7
    one, other = (BucketSampler(lengths, 8, seed=3) for _ in range(2))
    expected = [one.batch(step).tolist() for step in range(40)]
    found = {step: other.batch(step).tolist() for step in reversed(range(40))}
    assert expected == [found[step] for step in range(40)]
    assert BucketSampler(lengths, 8, seed=4).batch(0).tolist() != expected[0]
    assert expected[: one.batches] != expected[one.batches : 2 * one.batches]


def test_every_example_is_eventually_seen():
    passes = BucketSampler(np.ones(10), 4, seed=1)
    assert {int(n) for step in range(12) for n in passes.batch(step)} == set(range(10))
