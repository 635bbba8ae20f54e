"""Model card of an exported model: a README in the form of the Hugging Face Hub.

The front matter is YAML (https://huggingface.co/docs/hub/model-cards). The text below describes
architecture, data, metrics with their baseline, and the command that repeats the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
_NO_METRIC = ("seconds", "gap_to_baseline", "normalized_score", "standard_error")
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


def files(run_dir: RunDir, export: Export) -> dict[str, str]:
    """Return the files that describe an exported model, by name.

    Paths of this machine and loggers are omitted.

    Args:
        run_dir: Run directory.
        export: Exported model.

    Returns:
        The card; `config.yaml`, which repeats the run; and the vocabulary, if the task has one.
    """
    run = _portable(run_dir.config)
    contents = {FILE: card(run_dir, export), CONFIG: config.to_yaml(run)}
    vocabulary = run_dir.read_json("vocabulary.json")
    if isinstance(vocabulary, dict):
        if isinstance(source := vocabulary.get("source"), str):
            vocabulary["source"] = Path(source).name
        contents["vocabulary.json"] = atomic_io.to_json(vocabulary, indent=2) + "\n"
    return contents


def card(run_dir: RunDir, export: Export) -> str:
    """Return the model card of an exported model.

    Args:
        run_dir: Run directory.
        export: Exported model.
    """
    run = run_dir.config
    name = " ".join(atomic_io.readable(run_dir.path.resolve().name).split())
    results = _results(run_dir, export.weights_of_step)
    needs, code = _USE[export.format]
    parts = [
        f"---\n{_front_matter(run, name, results)}---",
        f"# {formatting.markdown(name)}",
        formatting.markdown(f"The cell {export.cell}, trained on the task {export.task} with rum."),
        *_architecture(run, export),
        *_data(run),
        *_metrics(results),
        f"## Use\n\n{needs} The outputs are logits.\n\n```python\n{code}\n```",
        *_training(run_dir, run),
        f"## Citation\n\n```bibtex\n{_CITATION}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _portable(run: RunConfig) -> RunConfig:
    """Return a configuration without paths of this machine and without loggers."""
    changes: dict[str, Any] = {"train": run.train.model_copy(update={"loggers": []})}
    if data := getattr(run.task, "data", None):
        changes["task"] = run.task.model_copy(update={"data": Path(data).name})
    return run.model_copy(update=changes)


def _results(run_dir: RunDir, step: int) -> dict[str, Any]:
    """Return the results of the weights of a step: those of the test, or of the validation.

    Returns:
        The `split`, the `metrics` by name, and the `baseline` with the `monitor` that it refers to;
        an empty dictionary if there are none.
    """
    summary = run_dir.summary()
    if summary and summary["weights_of_step"] == step:
        split, values = "test", summary
    else:
        records = [record for record in run_dir.records() if record["step"] == step]
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
    return {"split": split, "metrics": metrics, "baseline": run_dir.baseline or {}}


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


def _architecture(run: RunConfig, export: Export) -> Iterator[str]:
    yield f"## Architecture\n\n{_described('cell', export.cell)}"
    values = loading.flattened(run)
    rows = [
        (key, formatting.setting(value))
        for key, value in values.items()
        if key.partition(".")[0] in ("cell", "model", "precision")
    ]
    for kind, tensors in (("input", export.inputs), ("output", export.outputs)):
        for tensor in tensors:
            sizes = ", ".join("any" if size is None else str(size) for size in tensor.shape)
            rows.append((f"{kind} {tensor.name}", f"[{sizes}] {tensor.dtype}"))
    yield formatting.markdown_table(("setting", "value"), rows)


def _data(run: RunConfig) -> Iterator[str]:
    yield f"## Data\n\n{_described('task', run.task.name)}"
    values = loading.flattened(_portable(run))
    yield formatting.markdown_table(
        ("setting", "value"),
        [
            (key, formatting.setting(value))
            for key, value in values.items()
            if key.startswith("task.")
        ],
    )


def _metrics(results: Mapping[str, Any]) -> Iterator[str]:
    if not results.get("metrics"):
        yield "## Metrics\n\nThese weights have not been evaluated."
        return
    baseline = results["baseline"]
    rows = []
    for name, value in results["metrics"].items():
        level = formatting.NOTHING
        if baseline.get("metric") == name:
            level = f"{formatting.value(name, baseline['value'])} ({baseline['label']})"
        rows.append((formatting.metric_name(name), formatting.value(name, value), level))
    yield f"## Metrics\n\nOn the {results['split']} split:"
    yield formatting.markdown_table(("metric", "value", "baseline"), rows)


def _training(run_dir: RunDir, run: RunConfig) -> Iterator[str]:
    trust = " --trust-code" if run.code(training=True) else ""
    data = " --data PATH" if getattr(run.task, "data", None) else ""
    yield (
        f"## Training\n\nThe command that repeats the run with the `{CONFIG}` of this directory:"
        f"\n\n```sh\nrum train --preset {CONFIG}{data}{trust}\n```"
    )
    environment = run_dir.read_json("environment.json")
    recorded = environment if isinstance(environment, dict) else {}
    rows = [
        (key, formatting.setting(value))
        for key, value in loading.flattened(run).items()
        if _is_training_key(key)
    ]
    rows += [
        (key, formatting.setting(recorded[key]))
        for key in _VERSIONS
        if recorded.get(key) is not None
    ]
    yield formatting.markdown_table(("setting", "value"), rows)


def _is_training_key(key: str) -> bool:
    part = key.partition(".")[0]
    return part in ("optimizer", "seed") or key in ("train.steps", "train.batch_size")


def _described(section: str, name: str) -> str:
    """Return the description of a cell or task, with its source."""
    for entry in catalog.entries(section):
        if entry.name == name:
            source = f" Source: {entry.source}." if entry.source else ""
            return formatting.markdown(f"{entry.description}{source}")
    return f"A custom {section}, not part of `rumcli`."
