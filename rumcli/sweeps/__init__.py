"""Many runs out of one description: the points of a search, each with several seeds, on Ray Tune.

What is to be run and what came of it needs no Ray; only `trial` and `tune` import it.
"""
