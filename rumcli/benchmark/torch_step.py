"""Training steps of PyTorch's recurrent modules without Keras, for comparison on torch.

The model, loss and optimizer match the Keras step in `measure`.
"""

from __future__ import annotations

import time
from typing import Any

from rumcli.benchmark.cases import TORCH_MODULES, Case
from rumcli.benchmark.timing import Runner, Sample

MODULES = TORCH_MODULES


def prepare(case: Case, name: str, inputs: Any, targets: Any) -> Runner:
    """Build a model whose training steps synchronize with the device only after the last one.

    Args:
        case: Size of the model and the batch.
        name: Name of a module in `MODULES`.
        inputs: Float tensor `[B, T, D]`; its device is that of the model.
        targets: Integer tensor of classes, `[B, T]`, or `[B]` without `return_sequences`.
    """
    import torch
    from torch import nn

    recurrent = getattr(nn, name.removeprefix("nn."))(case.features, case.units, batch_first=True)
    model = nn.ModuleList([recurrent, nn.Linear(case.units, case.classes)]).to(inputs.device)
    # Keras's RMSprop: PyTorch's defaults are 0.99 and 1e-8.
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    loss_of = nn.CrossEntropyLoss()
    targets = targets.long().flatten()

    def step() -> Any:
        recurrent, linear = model
        optimizer.zero_grad()
        states, _ = recurrent(inputs)
        logits = linear(states if case.return_sequences else states[:, -1])
        loss = loss_of(logits.flatten(0, -2), targets)
        loss.backward()
        optimizer.step()
        return loss

    def run(count: int) -> Sample:
        begin = time.perf_counter()
        for _ in range(count):
            loss = step()
        value = float(loss.item())  # waits for the device
        return Sample(time.perf_counter() - begin, value)

    return Runner(sum(p.numel() for p in model.parameters()), run)
