"""Many runs out of one description: the points of a search, each with several seeds.

How they run is in `jobs`.
"""
