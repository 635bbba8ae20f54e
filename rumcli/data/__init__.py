"""Data utilities that several tasks share, in NumPy; no Keras.

Examples of the generated tasks are pure functions of (seed, split, index): their random numbers
come from `counter_rng`, and `splits` assigns them to a split.
"""
