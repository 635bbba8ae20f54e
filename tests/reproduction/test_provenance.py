import pytest

from rumcli.reproduction import provenance
from tests.reproduction.files import runs, table

HERE = {
    "rum": "1.0",
    "python": "3.13.0",
    "backend": "jax",
    "jax": "0.9",
    "tensorflow": "2.21",
    "processor": "A processor",
    "cores": 2,
    "accelerators": ["A GPU", "A\nGPU"],
    "command": ["/somewhere/rum", "reproduce", "small.yaml", "--condition", "T = 4"],
}
THERE = {**HERE, "processor": "Another", "command": ["rum", "reproduce", "small.yaml"]}


@pytest.fixture
def noted(tmp_path):
    read, folder = table(tmp_path)
    todo = list(runs(read).values())

    def note(number, content):
        folder.begin(todo[number]).write_json("environment.json", content)

    return note, lambda: provenance.of(folder, todo).model_dump()


def test_commands_and_machines_are_listed_once_in_order(noted):
    # given: the first run was resumed
    note, read = noted
    note(0, {**HERE, "resumed": [THERE]})
    note(1, HERE)

    # when
    found = read()

    # then
    assert found["commands"] == [
        "rum reproduce small.yaml --condition 'T = 4'",
        "rum reproduce small.yaml",
    ]
    assert [one["processor"] for one in found["machines"]] == ["A processor", "Another"]
    assert found["machines"][0] == {
        "processor": "A processor",
        "cores": 2,
        "accelerators": ["A GPU", "AGPU"],
        "versions": {"rum": "1.0", "python": "3.13.0", "jax": "0.9"},
    }


def test_provenance_is_empty_without_runs(noted):
    assert noted[1]() == {"commands": [], "machines": []}


@pytest.mark.parametrize(
    "content",
    [
        5,
        [],
        {"command": [], "resumed": 7},
        {"command": "rum", "cores": -1, "accelerators": "a", "rum": 5},
        {"command": ["rum", 5], "resumed": [3, None], "processor": []},
    ],
)
def test_foreign_environment_files_are_ignored(noted, content):
    note, read = noted
    note(0, content)
    assert read() == {"commands": [], "machines": []}


def test_long_or_unprintable_text_is_truncated(noted):
    note, read = noted
    note(0, {"processor": "\x1b[31m" + "x" * 10_000, "command": ["rum", "a\nb"]})
    found = read()
    assert found["machines"][0]["processor"].startswith("[31mxxx")
    assert len(found["machines"][0]["processor"]) == 500
    assert found["commands"] == ["rum 'ab'"]
