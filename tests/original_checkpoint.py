"""Checkpoints as the original implementation writes them, with random weights."""

import numpy as np

LAST, FIRST = "two kernels", "one kernel"  # versions of the original


def variables(features, units, version=LAST, update_gate=True, layer_norm=False, bias=False):
    """Return random weights by the names that the original gives them, and by ours."""
    random = np.random.default_rng(5)

    def draw(*shape):
        return (random.standard_normal(shape) / np.sqrt(units)).astype("float32")

    gates = 2 if update_gate else 1
    ours = {
        "gate_kernel": draw(features + units, gates * units),
        "gate_bias": 1 + draw(gates * units),
        "candidate_kernel": draw(features, units),
    }
    theirs = {"candidate/fully_connected/weights": ours["candidate_kernel"]}
    if bias:
        ours["candidate_bias"] = theirs["candidate/fully_connected/biases"] = draw(units)
    parts = gates if version == LAST else 1
    kernels, biases = (np.split(ours[f"gate_{part}"], parts, -1) for part in ("kernel", "bias"))
    for number, (kernel, offset) in enumerate(zip(kernels, biases, strict=True)):
        name = "gates/fully_connected" + (f"_{number}" if number else "")
        theirs |= {f"{name}/weights": kernel, f"{name}/biases": offset}
    if layer_norm:
        upper = version == FIRST
        gate = f"gates/{'LN' if upper else 'ln'}_r{'_u' if update_gate else ''}/layer_norm_"
        candidate = f"candidate/{'LN' if upper else 'ln'}_c/"
        for part, end, kind in (("gain", "alpha", 1.0), ("offset", "bias", 0.0)):
            ours[f"gate_{part}"] = theirs[f"{gate}{end}"] = kind + draw(gates * units)
            ours[f"candidate_{part}"] = theirs[f"{candidate}{end}"] = kind + draw(units)
    return theirs, ours


def write_checkpoint(path, arrays):
    """Write a checkpoint of TensorFlow 1 with these variables."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        kept = [v1.get_variable(name, initializer=array) for name, array in arrays.items()]
        session.run(v1.global_variables_initializer())
        v1.train.Saver(kept).save(session, str(path), write_state=False)


def under(scope, arrays):
    """Return the variables as they stand in a model that has them in `scope`, beside others."""
    return {
        "V_weights": np.zeros((3, 2), "float32"),
        "global_step": np.int64(7),
        **{f"{scope}/{name}": array for name, array in arrays.items()},
        **{f"{scope}/{name}/Adam": np.zeros_like(array) for name, array in arrays.items()},
    }
