"""Where examples come from: pure functions of (seed, split, index) in NumPy; no Keras, no files.

Each task's module gives `examples(...)`; the random numbers under them come from `streams`.
"""
