import pytest

from tests.cli.commands import assert_one_line, rum
from tests.documents import validated


@pytest.mark.slow
def test_it_measures_and_prints_one_document(tmp_path):
    arguments = ["--task=recall", "--cell=rum", "--rounds=1", "--no-memory", "--plot=x.png"]
    result = rum("bench", *arguments, "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    content = validated(result.stdout, "bench")
    (case,) = content["cases"]
    assert [r["subject"] for r in case["results"]] == ["rum", "rum, plain", "gru", "gru, jit"]
    assert min(r["ratio"] for r in case["results"] if r["cell"] == "gru") == 1.0
    assert content["series"] == content["training"] == []
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert result.stderr == "wrote x.png\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--task copyin", "--task copyin: unknown task 'copyin'; did you mean 'copying'?"),
        ("--cell rnn", "--cell rnn: unknown cell 'rnn'; "),
        ("--rounds 0", "--rounds 0: expected at least 1"),
        ("--plot x.gif", "--plot x.gif: expected a name that ends in .png, .svg, .pdf"),
        ("--plot there.png", "there.png exists; choose another name, or --force"),
        ("--plot no/x.png", "can't write no/x.png: No such file or directory"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_measured(tmp_path, arguments, expected):
    (tmp_path / "there.png").write_bytes(b"mine")
    assert_one_line(rum("bench", *arguments.split(), cwd=tmp_path), 2, expected)
    assert (tmp_path / "there.png").read_bytes() == b"mine"
