"""Where examples come from, in NumPy; no Keras.

Examples that are made are pure functions of (seed, split, index): each such task's module gives
`examples(...)`; the random numbers under them come from `streams`. Texts are read from files
(`corpus`) and cut into `windows`.
"""
