import json

import pytest

from rumcli import json_parser

DEEP = {
    "lists": "[" * 101 + "]" * 101,
    "objects": '{"a": ' * 101 + "1" + "}" * 101,
    "unclosed": "[" * 100_000,
    "brackets after a string": '"\\"[" ' + "[" * 101,
    "large": '"' + "a" * json_parser.MAX_BYTES + '"',
    "NaN": "[NaN]",
    "infinity": "-Infinity",
    "overflow": '{"a": 1e999}',
    "digits": "9" * 5000,
    "not UTF-8": b"\xff",
    "UTF-16": "[1]".encode("utf-16"),
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_json_that_no_program_of_ours_writes_is_rejected(text):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says, callers name the file
        json_parser.parse(text)


NOT_DEEP = {
    "a hundred levels": "[" * 100 + "]" * 100,
    "many lists": "[" + ",".join(["[]"] * 1000) + "]",
    "brackets in a string": '"' + "[" * 1000 + '\\"' + "{" * 1000 + '"',
}


@pytest.mark.parametrize("text", NOT_DEEP.values(), ids=NOT_DEEP)
def test_json_that_only_looks_deep_is_read(text):
    assert json_parser.parse(text) == json.loads(text)


def test_json_of_a_checkpoint_may_have_numbers_that_are_not_finite():
    assert json_parser.parse("[NaN, Infinity, 1.5]", allow_nan=True)[1:] == [float("inf"), 1.5]
