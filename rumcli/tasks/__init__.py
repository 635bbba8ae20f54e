"""One package per task, with its data, Keras inputs, model and metric.

`base` defines the interface on which the trainer depends; `registry` creates a task by name.
"""
