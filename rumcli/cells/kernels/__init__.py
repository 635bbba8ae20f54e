"""The fast paths of the cells: their loops over time and hand-written gradients, for XLA.

TensorFlow only. Nothing outside `rumcli.cells` knows that these exist; docs/performance.md says how
they work.
"""
