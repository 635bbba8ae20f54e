"""Mutation testing of cells and checkpoints with cosmic-ray: sample the mutants, test one of them.

Not a test itself; `docs/contributing.md` has the commands.
"""

import ast
import pathlib
import random
import re
import sqlite3
import subprocess
import sys

SEED = 23


def _of_kernel(module: str) -> list[str]:
    if module.startswith("stack"):
        return ["fused/test_stack.py"]
    if module == "tensorflow_custom_gradient":
        return ["fused/test_custom_gradient.py", "fused/test_dispatch.py", "fused/test_rum.py"]
    return ["fused"]


# By group: number of mutants, and the tests of each module, the quickest first.
GROUPS = {
    "files": (
        20,
        {
            "rumcli/atomic_io.py": ["tests/test_atomic_io.py"],
            "rumcli/training/checkpoint.py": [
                "tests/training/test_checkpoint.py",
                "tests/hostile/test_checkpoints.py",
            ],
            "rumcli/training/run_files.py": ["tests/training/test_run_files.py"],
        },
    ),
    "cells": (
        25,
        {
            f"rumcli/cells/{module}.py": [f"tests/cells/{test}" for test in tests]
            for module, tests in {
                "arum": ["test_arum.py", "test_rum.py"],
                "ops/elementwise": ["test_ln_lstm.py", "ops/test_elementwise.py"],
                "delta_product": ["test_delta_product.py", "test_layer_arguments.py"],
                "eunn": ["test_eunn.py", "test_layer_arguments.py"],
                "fs_rnn": [
                    "test_fs_rnn.py",
                    "test_layer_arguments.py",
                    "test_layer_contract.py::TestFSRNN",
                ],
                "goru": ["test_goru.py", "test_layer_arguments.py"],
                "lru": ["test_lru.py", "test_layer_arguments.py"],
                "slstm": ["test_slstm.py", "test_layer_arguments.py"],
                "ln_lstm": ["test_ln_lstm.py", "test_layer_arguments.py"],
                "time_loop": ["test_time_loop.py", "test_layer_contract.py::TestGORU"],
                "ops/normalization": ["ops/test_normalization.py"],
                "ops/plane_rotations": ["ops/test_plane_rotations.py"],
                "ops/rotation": ["ops/test_rotation.py"],
                "rum": ["test_layer_arguments.py", "test_rum.py"],
            }.items()
        },
    ),
    "fused": (
        15,
        {
            path.as_posix(): [f"tests/cells/{test}" for test in _of_kernel(path.stem)]
            for path in sorted(pathlib.Path("rumcli/cells/fused").glob("[!_]*.py"))
        },
    ),
}
# Of numbers, these are errors of type, which any test finds that reaches the line.
_OF_BITS = re.compile(r"_(Add|Sub|Mul|Div|FloorDiv|Mod|Pow)_(RShift|LShift|BitOr|BitAnd|BitXor)$")


def sample(session: str, *groups: str) -> None:
    """Delete all mutants of a new session but a random sample.

    Args:
        session: File that `cosmic-ray init` wrote.
        *groups: Names of groups; none for all.
    """
    database = sqlite3.connect(session)
    rows = database.execute(
        "SELECT job_id, module_path, operator_name, start_pos_row, start_pos_col"
        " FROM mutation_specs ORDER BY module_path, start_pos_row, start_pos_col, operator_name,"
        " occurrence"
    ).fetchall()
    # A place in the code is drawn first, then one of its mutants: an operator has some ten.
    places: dict[str, dict[tuple[str, int, int], list[str]]] = {name: {} for name in GROUPS}
    for job, module, operator, row, column in rows:
        for name, (_, tests) in GROUPS.items():
            if module in tests and not (_OF_BITS.search(operator) or _is_type(module, row, column)):
                places[name].setdefault((module, row, column), []).append(job)
    kept = []
    for name in groups or GROUPS:
        count, draw = GROUPS[name][0], random.Random(f"{SEED} {name}")
        kept += [
            draw.choice(places[name][place]) for place in draw.sample(sorted(places[name]), count)
        ]
        print(f"{name}: {count} of {len(places[name])} places")  # noqa: T201
    marks = ", ".join("?" * len(kept))
    for table in ("work_results", "mutation_specs", "work_items"):
        database.execute(f"DELETE FROM {table} WHERE job_id NOT IN ({marks})", kept)
    database.commit()


def test() -> int:
    """Run the default tests of the modules that differ from the last commit, or else of all.

    Returns:
        The exit status of pytest.
    """
    command = ["git", "diff", "--name-only", "HEAD", "--", "rumcli"]
    changed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    files = {
        file: None
        for _, tests in GROUPS.values()
        for module, of_module in tests.items()
        if module in (changed or tests)
        for file in of_module
    }
    options = ["-x", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "-m", "not e2e and not slow"]
    options += ["--timeout", "100"]  # a mutant may wait forever
    return subprocess.run([sys.executable, "-m", "pytest", *options, *files]).returncode


def _is_type(module: str, row: int, column: int) -> bool:
    """Return whether a place is within an annotation, which is never run."""
    for node in ast.walk(ast.parse(pathlib.Path(module).read_text(encoding="utf-8"))):
        for name in ("annotation", "returns"):
            found = getattr(node, name, None)
            if (
                isinstance(found, ast.expr)
                and (found.lineno, found.col_offset) <= (row, column)
                and (row, column) < (found.end_lineno, found.end_col_offset)
            ):
                return True
    return False


if __name__ == "__main__":
    if sys.argv[1] == "sample":
        sample(*sys.argv[2:])
    else:
        sys.exit(test())
