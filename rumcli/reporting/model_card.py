"""Model card of an exported model: a README in the form of the Hugging Face Hub.

The front matter is YAML (https://huggingface.co/docs/hub/model-cards). The text below describes
architecture, data, metrics beside their baseline, and the command that repeats the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rumcli import atomic_io, config
from rumcli.config import RunConfig, catalog, loading
from rumcli.json_schemas.analysis import Export
from rumcli.reporting import formatting
from rumcli.training.run_dir import CONFIG, RunDir

FILE = "README.md"
# Task identifiers of the Hub; "other" for all tasks without one.
_HUB_TASKS = {"ptb": "text-generation", "babi": "question-answering"}
# Numbers of a summary that are not metrics of the model.
_NO_METRIC = ("seconds", "gap_to_baseline", "normalized_score")
_VERSIONS = ("rum", "python", "backend", "keras", "tensorflow", "jax", "torch", "numpy")
_INSTALL = "With Keras 3 and this package, `rumcli`"
_USE = {
    "keras": (
        f"{_INSTALL}.",
        "import keras\nimport rumcli.layers\n\n"
        'model = keras.saving.load_model(".")  # or "hf://USER/MODEL"',
    ),
    "safetensors": (
        f"{_INSTALL}, and `safetensors`.",
        "import keras\nimport rumcli.layers\nfrom safetensors import safe_open\n\n"
        'with safe_open("model.safetensors", framework="numpy") as file:\n'
        '    model = keras.models.model_from_json(file.metadata()["architecture"])\n'
        '    names = file.metadata()["variables"].splitlines()\n'
        "    model.set_weights([file.get_tensor(name) for name in names])",
    ),
    "savedmodel": (
        "With TensorFlow alone.",
        'import tensorflow as tf\n\nmodel = tf.saved_model.load(".").signatures["serving_default"]',
    ),
    "onnx": (
        "With any ONNX runtime.",
        'import onnxruntime\n\nmodel = onnxruntime.InferenceSession("model.onnx")',
    ),
}
_CITATION = r"""@article{dangovski2017rotational,
  title   = {Rotational Unit of Memory},
  author  = {Dangovski, Rumen and Jing, Li and Solja{\v{c}}i{\'c}, Marin},
  journal = {arXiv preprint arXiv:1710.09537},
  year    = {2017}
}"""


def files(folder: RunDir, found: Export) -> dict[str, str]:
    """Return the files that describe an exported model, by name.

    Paths of this machine, and loggers, are left out.

    Args:
        folder: Run directory.
        found: Exported model.

    Returns:
        The card; `config.yaml`, which repeats the run; and the vocabulary, if the task has one.
    """
    run = _portable(folder.config)
    described = {FILE: card(folder, found), CONFIG: config.to_yaml(run)}
    vocabulary = folder.read_json("vocabulary.json")
    if isinstance(vocabulary, dict):
        if isinstance(source := vocabulary.get("source"), str):
            vocabulary["source"] = Path(source).name
        described["vocabulary.json"] = atomic_io.to_json(vocabulary, indent=2) + "\n"
    return described


def card(folder: RunDir, found: Export) -> str:
    """Return the model card of an exported model.

    Args:
        folder: Run directory.
        found: Exported model.
    """
    run = folder.config
    name = " ".join(atomic_io.readable(folder.path.resolve().name).split())
    results = _results(folder, found.weights_of_step)
    needs, code = _USE[found.format]
    parts = [
        f"---\n{_front_matter(run, name, results)}---",
        f"# {formatting.markdown(name)}",
        formatting.markdown(f"The cell {found.cell}, trained on the task {found.task} with rum."),
        *_architecture(run, found),
        *_data(run),
        *_metrics(results),
        f"## Use\n\n{needs} The outputs are logits.\n\n```python\n{code}\n```",
        *_training(folder, run),
        f"## Citation\n\n```bibtex\n{_CITATION}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _portable(run: RunConfig) -> RunConfig:
    """Return a configuration without paths of this machine and without loggers."""
    changes: dict[str, Any] = {"train": run.train.model_copy(update={"loggers": []})}
    if data := getattr(run.task, "data", None):
        changes["task"] = run.task.model_copy(update={"data": Path(data).name})
    return run.model_copy(update=changes)


def _results(folder: RunDir, step: int) -> dict[str, Any]:
    """Return the results of the weights of a step: those of the test, or of the validation.

    Returns:
        The `split`, the `metrics` by name, and the `baseline` with the `monitor` that it refers to;
        an empty dictionary if there are none.
    """
    summary = folder.summary()
    if summary and summary["weights_of_step"] == step:
        split, values = "test", summary
    else:
        records = [record for record in folder.records() if record["step"] == step]
        if not records:
            return {}
        prefix = "val_"
        split = "validation"
        values = {
            key.removeprefix(prefix): value
            for key, value in records[-1].items()
            if key.startswith(prefix)
        }
    metrics = {
        key: value
        for key, value in values.items()
        if isinstance(value, float) and key not in _NO_METRIC
    }
    return {"split": split, "metrics": metrics, "baseline": folder.baseline or {}}


def _front_matter(run: RunConfig, name: str, results: Mapping[str, Any]) -> str:
    task, cell = run.task.name, run.cell.name
    content: dict[str, Any] = {
        "library_name": "keras",
        "tags": ["rum", "recurrent-neural-network", "keras", task, cell],
    }
    if metrics := results.get("metrics"):
        shown = [{"type": key, "name": key, "value": value} for key, value in metrics.items()]
        dataset = {"type": task, "name": task, "split": results["split"]}
        result = {
            "task": {"type": _HUB_TASKS.get(task, "other"), "name": task},
            "dataset": dataset,
            "metrics": shown,
        }
        content["metrics"] = list(metrics)
        content["model-index"] = [{"name": name, "results": [result]}]
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _architecture(run: RunConfig, found: Export) -> Iterator[str]:
    yield f"## Architecture\n\n{_described('cell', found.cell)}"
    values = loading.flattened(run)
    rows = [
        (key, _shown(value))
        for key, value in values.items()
        if key.partition(".")[0] in ("cell", "model", "precision")
    ]
    for kind, tensors in (("input", found.inputs), ("output", found.outputs)):
        for tensor in tensors:
            sizes = ", ".join("any" if size is None else str(size) for size in tensor.shape)
            rows.append((f"{kind} {tensor.name}", f"[{sizes}] {tensor.dtype}"))
    yield _table(("setting", "value"), rows)


def _data(run: RunConfig) -> Iterator[str]:
    yield f"## Data\n\n{_described('task', run.task.name)}"
    values = loading.flattened(_portable(run))
    yield _table(
        ("setting", "value"),
        [(key, _shown(value)) for key, value in values.items() if key.startswith("task.")],
    )


def _metrics(results: Mapping[str, Any]) -> Iterator[str]:
    if not results.get("metrics"):
        yield "## Metrics\n\nThese weights have not been evaluated."
        return
    baseline = results["baseline"]
    rows = []
    for name, value in results["metrics"].items():
        beside = "–"
        if baseline.get("metric") == name:
            level = formatting.value(name, baseline["value"])
            beside = f"{level} ({baseline['label']})"
        rows.append((formatting.metric_name(name), formatting.value(name, value), beside))
    yield f"## Metrics\n\nOn the {results['split']} split:"
    yield _table(("metric", "value", "baseline"), rows)


def _training(folder: RunDir, run: RunConfig) -> Iterator[str]:
    trust = " --trust-code" if run.code(training=True) else ""
    data = " --data PATH" if getattr(run.task, "data", None) else ""
    yield (
        f"## Training\n\nThe command that repeats the run with the `{CONFIG}` of this directory:"
        f"\n\n```sh\nrum train --preset {CONFIG}{data}{trust}\n```"
    )
    environment = folder.read_json("environment.json")
    found = environment if isinstance(environment, dict) else {}
    rows = [
        (key, _shown(value)) for key, value in loading.flattened(run).items() if _is_of_fit(key)
    ]
    rows += [(key, _shown(found[key])) for key in _VERSIONS if found.get(key) is not None]
    yield _table(("setting", "value"), rows)


def _is_of_fit(key: str) -> bool:
    part = key.partition(".")[0]
    return part in ("optimizer", "seed") or key in ("train.steps", "train.batch_size")


def _described(section: str, name: str) -> str:
    """Return the description of a cell or task, with its source."""
    for entry in catalog.entries(section):
        if entry.name == name:
            source = f" Source: {entry.source}." if entry.source else ""
            return formatting.markdown(f"{entry.description}{source}")
    return f"A {section} of its author, outside of `rumcli`."


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns)]
    lines += [[formatting.markdown(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    return str(value)
