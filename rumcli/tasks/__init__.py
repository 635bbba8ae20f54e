"""One package per task: its data, its dataset as Keras takes it, its model and its metric.

`base` has the interface, by which alone the trainer knows tasks; `registry` makes one by name.
"""
