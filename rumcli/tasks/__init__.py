"""One file per task: its data as Keras takes it, its model, its metric and its reference level.

`base` has the interface, by which alone the trainer knows tasks; `registry` makes one by name.
"""
