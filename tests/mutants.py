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
    if module in {"chain", "chain_context", "chain_recipe", "links", "nodes"}:
        return ["test_fused_chain.py"]
    if module == "program":
        return ["kernels/test_program.py", "test_fused_taken.py", "test_fused.py"]
    return ["kernels", "test_fused.py", "test_fused_chain.py", "test_fused_extremes.py"]


# By group: number of mutants, and the tests of each module, the quickest first.
GROUPS = {
    "files": (
        20,
        {
            "rumcli/files.py": ["tests/test_files.py"],
            "rumcli/training/checkpoint.py": [
                "tests/training/test_checkpoint.py",
                "tests/hostile/test_checkpoints.py",
            ],
            "rumcli/training/record_file.py": ["tests/training/test_record_file.py"],
        },
    ),
    "cells": (
        25,
        {
            f"rumcli/cells/{module}.py": [f"tests/cells/test_{test}" for test in tests]
            for module, tests in {
                "arum": ["arum.py", "rum.py"],
                "elementary": ["ln_lstm.py", "orthogonal.py"],
                "eunn": ["eunn.py", "layer_arguments.py"],
                "fs_rnn": ["fs_rnn.py", "layer_arguments.py", "layer_contract.py::TestFSRNN"],
                "goru": ["goru.py", "layer_arguments.py"],
                "ln_lstm": ["ln_lstm.py", "layer_arguments.py"],
                "loop": ["loop.py", "layer_contract.py::TestGORU"],
                "modrelu": ["modrelu.py"],
                "normalization": ["normalization.py"],
                "orthogonal": ["orthogonal.py"],
                "rotation": ["rotation.py"],
                "rum": ["layer_arguments.py", "rum.py"],
            }.items()
        },
    ),
    "kernels": (
        15,
        {
            path.as_posix(): [f"tests/cells/{test}" for test in _of_kernel(path.stem)]
            for path in sorted(pathlib.Path("rumcli/cells/kernels").glob("[!_]*.py"))
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
