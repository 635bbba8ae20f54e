"""RUM as a layer of a Keras model, trained on the adding problem.

The targets are the sums of two marked numbers (Hochreiter and Schmidhuber 1997). The baseline, a
model that always predicts 1, has a mean squared error of 1/6.

    python examples/layer.py [--steps 400] [--length 50]
"""

import argparse

import keras
import numpy as np

from rumcli.cells import RUM


def batch(generator, size, length):
    """Return inputs `[B, T, 2]`, a number and a mark at each step, and sums `[B]`."""
    numbers = generator.uniform(size=(size, length))
    marks = np.zeros((size, length))
    first = generator.integers(0, length // 2, size)
    second = generator.integers(length // 2, length, size)
    marks[np.arange(size), first] = marks[np.arange(size), second] = 1
    return np.stack([numbers, marks], axis=-1).astype("float32"), (numbers * marks).sum(axis=1)


def main(arguments=None):
    """Train the model and print its error."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--length", type=int, default=50)
    options = parser.parse_args(arguments)

    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((options.length, 2)),
            RUM(32, time_norm=1.0),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-2, clipnorm=1.0), "mse")
    generator = np.random.default_rng(1)
    model.fit(*batch(generator, 64 * options.steps, options.length), batch_size=64, verbose=2)
    error = model.evaluate(*batch(generator, 1024, options.length), verbose=0)
    print(f"mean squared error {error:.4f}; always predicting the mean: {1 / 6:.4f}")


if __name__ == "__main__":
    main()
