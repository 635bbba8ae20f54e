"""Fused loops over time with hand-written gradients, compiled by XLA.

One source serves TensorFlow and JAX: formulas call `backend_ops.ops` and are independent of the
memory layout through `Layout`. `tensorflow_custom_gradient.py`, `tensorflow_ops.py`,
`jax_custom_gradient.py` and `jax_ops.py` hold the backend-specific code. Code outside this package
uses `dispatch` only. See docs/performance.md for the design.
"""
