"""A trained run in your own program, by way of `rum export`.

    rum train copying --preset copying_short
    rum export runs/copying-arum-1
    python examples/predict.py copying-arum-1.keras

Keras reads the file with its safe mode on: there is no code in it, and importing `rumcli.layers` is
all that it needs.
"""

import argparse

import keras
import numpy as np

import rumcli.layers  # noqa: F401 - makes the layers known to Keras


def main(arguments=None):
    """Read the model, and let it repeat ten symbols that it has never seen."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", help="what `rum export` wrote of a run of copying, a .keras file")
    model = keras.saving.load_model(parser.parse_args(arguments).model)
    symbols = np.random.default_rng().integers(1, 9, 10)
    blanks = model.input_shape[1] - 20
    # Ten symbols, blanks, the mark that asks for them, and nine blanks while they are repeated.
    inputs = np.concatenate([symbols, np.zeros(blanks - 1, int), [9], np.zeros(10, int)])
    answers = model.predict(inputs[None], verbose=0)[0].argmax(axis=-1)[-10:]
    print("to be repeated:", *symbols)
    print("answered:      ", *answers)
    print(f"right: {(symbols == answers).sum()} of 10")


if __name__ == "__main__":
    main()
