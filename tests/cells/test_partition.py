"""The fused loops on several devices: gradients are summed after the loop, not in each step."""

import importlib.util
import json

import pytest

from tests.cli.commands import python

PROGRAM = """
import json, re
import jax
jax.config.update("jax_num_cpu_devices", 2)
import keras
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from rumcli import cells

rows = keras.distribution.DataParallel(auto_shard_dataset=False)
keras.distribution.set_distribution(rows)
layout = rows.get_data_layout((4, 5, 3)).backend_layout
inputs = jax.device_put(np.ones((4, 5, 3), "float32"), layout)
COLLECTIVE = re.compile(r"(all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)"
                        r"(-start)?[(]")


def computations(text):
    found, lines = {}, []
    for line in text.splitlines():
        if head := re.match(r"(?:ENTRY )?%?([\\w.-]+) .*[{]$", line):
            lines = found.setdefault(head[1], [])
        elif line.strip():
            lines.append(line)
    return found


def called(found, names):
    reached, left = set(), list(names)
    while left:
        name = left.pop()
        if name in found and name not in reached:
            reached.add(name)
            left += re.findall(r"%([\\w.-]+)", " ".join(found[name]))
    return reached


def collectives(name, options):
    layer = cells.make(name, 4, return_sequences=True, **options)
    layer.build(inputs.shape)
    rest = [variable.value for variable in layer.non_trainable_variables]

    def loss(weights, inputs):
        return keras.ops.sum(layer.stateless_call(weights, rest, inputs)[0] ** 2)

    weights = [variable.value for variable in layer.trainable_variables]
    replicated = [weight.sharding for weight in weights]
    step = jax.jit(jax.value_and_grad(loss), out_shardings=(None, replicated))
    found = computations(step.lower(weights, inputs).compile().as_text())
    loops = [line for lines in found.values() for line in lines if " while(" in line]
    bodies = re.findall(r"(?:body|condition)=%?([\\w.-]+)", " ".join(loops))
    inside = called(found, bodies)
    count = lambda names: sum(len(COLLECTIVE.findall(" ".join(found[name]))) for name in names)
    return {"loops": len(loops), "all": count(found), "in loops": count(inside)}


CELLS = {
    "rum": {}, "arum": {"time_norm": 1.0}, "lnlstm": {}, "fsrnn": {}, "gru": {},
}
print(json.dumps({name: collectives(name, options) for name, options in CELLS.items()}))
"""


@pytest.mark.e2e
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_gradients_are_summed_over_devices_once_and_not_in_each_time_step(tmp_path):
    result = python(PROGRAM, cwd=tmp_path, env={"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"})
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    # Keras's own layers leave the recurrent kernel's gradient to the loop: the search finds it.
    assert found.pop("gru")["in loops"] > 0
    for name, counts in found.items():
        assert counts["loops"] >= 2, name
        assert counts["all"] > 0, name
        assert counts["in loops"] == 0, name
