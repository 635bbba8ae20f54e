"""The fast paths of the cells: their loops over time and hand-written gradients, for XLA.

For TensorFlow and JAX, from one source: formulas ask `backend_ops.ops` for operations and a
`Layout` for how vectors lie in memory. Only `tensorflow_custom_gradient.py` and `tensorflow_ops.py`
import TensorFlow, and only `jax_custom_gradient.py` and `jax_ops.py` import JAX. Nothing outside
`rumcli.cells` knows that these exist; docs/performance.md says how they work.
"""
