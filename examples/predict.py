"""Predictions of an exported model.

    rum train copying --preset copying_short
    rum export runs/copying-arum-1
    python examples/predict.py copying-arum-1-keras

The directory contains no code, so Keras loads it in safe mode. Import `rumcli.layers` first.
"""

import argparse

import keras
import numpy as np

import rumcli.layers  # noqa: F401 - registers the layers with Keras


def main(arguments=None):
    """Load the model and let it repeat ten random symbols."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", help="directory that `rum export` wrote of a run of copying")
    model = keras.saving.load_model(parser.parse_args(arguments).model)
    symbols = np.random.default_rng().integers(1, 9, 10)
    blanks = model.input_shape[1] - 20
    # Ten symbols, blanks, the marker, and blanks while the symbols are repeated.
    inputs = np.concatenate([symbols, np.zeros(blanks - 1, int), [9], np.zeros(10, int)])
    answers = model.predict(inputs[None], verbose=0)[0].argmax(axis=-1)[-10:]
    print("to be repeated:", *symbols)
    print("answered:      ", *answers)
    print(f"right: {(symbols == answers).sum()} of 10")


if __name__ == "__main__":
    main()
