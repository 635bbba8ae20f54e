"""Examples for each command, shown at the end of its help and in `docs/cli.md`."""

from __future__ import annotations

_EXAMPLES: dict[str, tuple[str, ...]] = {
    "train": (
        "rum train recall --delay 30",
        "rum train copying --cell lstm --set train.eval_every=100",
        "rum train --resume runs/recall-arum-1 --steps 20000",
    ),
    "sweep": (
        "rum sweep examples/sweep.yaml --dry-run",
        "rum sweep examples/sweep.yaml --jobs 2",
        "rum sweep --results sweeps/sweep-1",
    ),
    "reproduce": (
        "rum reproduce copying --dry-run",
        "rum reproduce recall --jobs 2 --budget 1h",
        "rum reproduce ptb --data data/ptb",
    ),
    "eval": (
        "rum eval runs/recall-arum-1",
        "rum eval runs/recall-arum-1 --split validation --checkpoint last",
        'rum eval runs/recall-arum-1 --require "accuracy>=0.99"',
    ),
    "generate": (
        'rum generate runs/ptb-rum-1 --prompt "the company said"',
        "rum generate runs/ptb-rum-1 --temperature 0.7 --length 500",
    ),
    "compare": (
        "rum compare runs",
        "rum compare runs/recall-arum-1 runs/recall-lstm-1",
    ),
    "runs": (
        "rum runs",
        "rum runs sweeps/sweep-1 --watch",
        "rum runs runs --json",
    ),
    "report": (
        "rum report runs/recall-arum-1 runs/recall-lstm-1",
        "rum report sweeps/sweep-1 --out sweep.html",
        "rum report runs/recall-arum-1 --markdown",
    ),
    "export": (
        "rum export runs/recall-arum-1",
        "rum export runs/recall-arum-1 --format onnx --out recall.onnx",
    ),
    "import-checkpoint": (
        "rum import-checkpoint model.ckpt-1000 --norm 1.0 --out rum.keras",
        "rum import-checkpoint model.ckpt-1000 --activation tanh --json",
    ),
    "plot": (
        "rum plot runs/recall-arum-1 runs/recall-lstm-1",
        "rum plot runs --metric loss --over time --out loss.svg",
    ),
    "inspect": (
        "rum inspect runs/recall-arum-1",
        "rum inspect runs/recall-arum-1 --example 3 --out states.svg",
    ),
    "cells": ("rum cells", "rum cells arum"),
    "tasks": ("rum tasks", "rum tasks recall --json"),
    "data": (
        "rum data data/ptb",
        "rum data book.txt --preset ptb_rum_single",
        "rum data babi-en-10k.tar.xz",
    ),
    "gen-data copying": (
        "rum gen-data copying --count 3",
        "rum gen-data copying --split test --delay 50 --out test.npz",
    ),
    "gen-data recall": (
        "rum gen-data recall --count 3",
        "rum gen-data recall --split test --delay 30 --out test.jsonl",
    ),
    "gen-data babi": (
        "rum gen-data babi --subtask 2",
        "rum gen-data babi --subtask all --seed 2 --out my-babi",
    ),
    "gen-data ptb": (
        "rum gen-data ptb",
        "rum gen-data ptb --out data/ptb --json",
    ),
    "presets list": ("rum presets list", "rum presets list --json"),
    "presets show": (
        "rum presets show recall",
        "rum presets show recall --summary",
        "rum presets show runs/recall-arum-1",
    ),
    "presets copy": (
        "rum presets copy recall",
        "rum presets copy recall mine.yaml --force",
    ),
    "doctor": ("rum doctor", "rum doctor --no-speed --json"),
    "rotation-check": ("rum rotation-check", "rum rotation-check --dim 64"),
    "bench": (
        "rum bench --task recall",
        "rum bench --backend tensorflow --backend jax --json",
    ),
}


def of(command: str) -> tuple[str, ...]:
    """Return the examples of a command.

    Args:
        command: Name of the command without `rum`, such as `presets list`.
    """
    return _EXAMPLES[command]


def epilog(command: str) -> str:
    """Return the epilog of a command's help.

    Args:
        command: Name of the command without `rum`, such as `presets list`.
    """
    lines = (line.replace("[", r"\[") for line in of(command))  # a bracket starts markup
    return "\n".join(["Examples:", *lines])
