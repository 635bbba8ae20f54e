"""Keras layers, optimizers and model builders shared by several tasks."""
