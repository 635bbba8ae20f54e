"""Training steps of PyTorch modules, if PyTorch is installed."""

import numpy as np
import pytest

from rumcli.benchmark import measure
from rumcli.benchmark.cases import Case

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

CASE = Case(name="copying", steps=5, batch=4, features=10, units=6, classes=9)


def data(return_sequences):
    random = np.random.default_rng(1)
    inputs = torch.eye(10)[torch.tensor(random.integers(0, 10, (4, 5)))]
    shape = (4, 5) if return_sequences else (4,)
    return inputs, torch.tensor(random.integers(0, 9, shape).astype("int32"))


@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize(("name", "gates"), [("nn.GRU", 3), ("nn.LSTM", 4)])
def test_step_trains_the_module(name, gates, return_sequences):
    case = Case(**{**vars(CASE), "return_sequences": return_sequences})
    runner = measure.prepare_torch_step(case, name, *data(return_sequences))
    assert runner.parameters == gates * 6 * (10 + 6 + 2) + (6 + 1) * 9
    losses = [runner.run(count).loss for count in (1, 29)]
    assert losses[0] == pytest.approx(np.log(9), abs=0.4)
    assert losses[-1] < losses[0]


def test_update_matches_rmsprop_of_keras(monkeypatch):
    made = []

    class Recorded(torch.optim.RMSprop):
        def __init__(self, parameters, **options):
            self.trained = list(parameters)
            super().__init__(self.trained, **options)
            made.append(self)

    monkeypatch.setattr(torch.optim, "RMSprop", Recorded)
    runner = measure.prepare_torch_step(CASE, "nn.GRU", *data(return_sequences=True))
    (optimizer,) = made
    before = [one.detach().clone() for one in optimizer.trained]
    runner.run(1)
    for old, new in zip(before, optimizer.trained, strict=True):
        matters = new.grad.abs() > 1e-3
        moved = (new.detach() - old).abs()[matters]
        # ρ = 0.9: the first step is lr · g / √((1 − ρ) g²).
        assert torch.allclose(moved, torch.tensor(1e-3 / 0.1**0.5), rtol=1e-2)
