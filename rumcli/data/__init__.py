"""Data utilities shared by several tasks, in NumPy only.

Examples of the generated tasks are pure functions of (seed, split, index): `splits` assigns each
example to a split and draws its random numbers.
"""
