"""Functions on tensors that the cells are built from; no layers."""
