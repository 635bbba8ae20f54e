"""Keras layers, optimizers and builders that the models of several tasks share."""
