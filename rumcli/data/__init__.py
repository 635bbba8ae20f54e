"""Data utilities shared by several tasks, in NumPy only.

Examples of the generated tasks are pure functions of (seed, split, index): `counter_rng` draws
their random numbers, and `splits` assigns each example to a split.
"""
