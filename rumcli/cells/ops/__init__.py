"""Tensor functions used by the cells; no layers."""
