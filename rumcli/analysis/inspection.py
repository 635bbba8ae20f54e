"""Inspection of a run: cell traces for one example and the loss landscape around its weights."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from rumcli.analysis.introspection import ExampleTrace, trace_example
from rumcli.analysis.loss_landscape import Landscape, explore
from rumcli.config import RunConfig, Split
from rumcli.json_schemas import analysis as documents
from rumcli.tasks.task_dataset import TaskDataset
from rumcli.training.evaluation import restore_run
from rumcli.training.run_dir import RunDir


@dataclass(frozen=True)
class InspectionRequest:
    """Parameters of an inspection.

    The last four describe the loss landscape; see `loss_landscape.explore`.

    Attributes:
        split: `"validation"` or `"test"`.
        checkpoint: `"best"` (by validation) or `"last"`.
        views: Names from `inspection_views.VIEWS`.
        example: Number of the example, from 0.
        batches: Number of batches for each loss.
        grid: Number of points in each direction.
        radius: Largest distance from the weights.
        seed: Seed of the directions.
    """

    split: Split
    checkpoint: str
    views: Collection[str]
    example: int = 0
    batches: int = 1
    grid: int = 21
    radius: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Inspection:
    """Result of an inspection.

    Attributes:
        run: Configuration of the run.
        folder: Run directory.
        step: Training step of the weights.
        request: Parameters of the inspection.
        seen: Trace of the example; None if only the landscape was requested.
        landscape: Loss landscape; None if it was not requested.
    """

    run: RunConfig
    folder: str
    step: int
    request: InspectionRequest
    seen: ExampleTrace | None
    landscape: Landscape | None

    def document(self) -> documents.Inspection:
        """Return the requested views as a JSON document."""
        request = self.request
        found: dict[str, Any] = {}
        if self.seen is not None:
            found["example"] = documents.TracedExample(
                number=request.example,
                steps=self.seen.steps,
                layers=[
                    documents.LayerTrace(
                        name=layer.name,
                        part=one.part or None,
                        backwards=layer.backwards,
                        **_chosen(one, request.views),
                    )
                    for layer in self.seen.layers
                    for one in layer.traces
                ],
            )
        if self.landscape is not None:
            found["landscape"] = documents.LossLandscape(
                seed=request.seed,
                batches=self.landscape.batches,
                samples=self.landscape.samples,
                ticks=self.landscape.ticks.tolist(),
                losses=self.landscape.losses.tolist(),
            )
        return documents.Inspection(
            task=self.run.task.name,
            cell=self.run.cell.name,
            split="test" if request.split == Split.TEST else "validation",
            weights_of_step=self.step,
            folder=self.folder,
            **found,
        )


def _chosen(one: Any, views: Collection[str]) -> dict[str, Any]:
    arrays = {
        "angles": {"angles_degrees": one.angles},
        "norm": {"norms": one.norms},
        "gate": {"update_gates": one.update_gates},
        "spectrum": {"spectrum_steps": one.spectrum_steps, "spectrum_degrees": one.spectrum},
    }
    return {
        name: None if array is None else array.tolist()
        for view, named in arrays.items()
        if view in views
        for name, array in named.items()
    }


def inspect_run(
    folder: RunDir,
    request: InspectionRequest,
    dataset: TaskDataset | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Inspection:
    """Inspect a run.

    Args:
        folder: Run directory.
        request: Parameters of the inspection.
        dataset: Result of `dataset_binding.for_evaluation`; None to load the task's dataset, if
            it has one.
        tell: Callback that receives a description of the current activity.

    Raises:
        RunError: If the checkpoint is missing or damaged.
        ConfigError: If the split has no such example, or the task's dataset is missing or invalid.
    """
    task, model, step = restore_run(folder, request.split, request.checkpoint, dataset)
    seen = landscape = None
    if set(request.views) - {"landscape"}:
        tell(f"reading example {request.example}")
        seen = trace_example(task, model, request.split, request.example)
    if "landscape" in request.views:
        landscape = explore(
            task,
            model,
            request.split,
            request.batches,
            request.grid,
            request.radius,
            request.seed,
            tell,
        )
    return Inspection(task.config, str(folder.path), step, request, seen, landscape)
