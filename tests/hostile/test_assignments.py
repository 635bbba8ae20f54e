"""`--set` and the other options, with anything behind them."""

import pytest
from hypothesis import assume
from hypothesis import strategies as st

from rumcli import config
from tests.hostile import strategies
from tests.hostile.cases import fuzz
from tests.hostile.outcomes import REFUSED, attempt, rum

pytestmark = pytest.mark.usefixtures("_shipped_presets_are_parsed_once")


def _keys(content, path=()):
    for key, value in content.items():
        yield ".".join((*path, key))
        if isinstance(value, dict):
            yield from _keys(value, (*path, key))


KEYS = sorted(
    {
        key
        for name in ("copying", "recall", "babi", "ptb", "ptb_fs_rum")
        for key in _keys(config.build(name).model_dump())
    }
)
keys = (
    st.sampled_from(KEYS)
    | st.lists(st.sampled_from(KEYS), max_size=3).map(".".join)
    | st.text("ab.=[ ", max_size=8)
    | strategies.texts
    | st.just(".".join("a" * 5000))
)
yaml_values = (
    strategies.texts
    | strategies.numbers.map(lambda number: f"{number:#x}" if isinstance(number, int) else number)
    | st.sampled_from(["rum", "fsrnn", "adam", "cosine", "{name: eunn}", "[", "{a: ", "'", "}{"])
).map(str)
assignments = st.lists(
    st.tuples(keys, st.sampled_from(["=", "==", " = ", "", ":"]), yaml_values).map("".join),
    min_size=1,
    max_size=4,
)


@fuzz(
    fast=160,
    slow=12_000,
    task=st.sampled_from(["copying", "recall", "babi", "ptb", None]),
    typed=assignments,
)
def test_assignments_are_accepted_or_rejected(place, task, typed):
    run = attempt(config.build, None, typed, {("task", "name"): task}, around=place)
    assert run is REFUSED or isinstance(run, config.RunConfig)


OPTIONS = (
    *("--cell", "--norm", "--hidden", "--data", "--subtask", "--delay", "--steps", "--batch-size"),
    *("--learning-rate", "--seed", "--preset", "--set", "--resume"),
)
typed_options = st.lists(
    st.tuples(st.sampled_from(OPTIONS), yaml_values | assignments.map(lambda texts: texts[0])),
    max_size=3,
)


# A process gets no NUL, and its arguments' bytes that are no UTF-8 as lone surrogates.
@fuzz(
    fast=60,
    slow=2000,
    task=st.sampled_from(["copying", "recall", "babi"]) | strategies.texts,
    options=typed_options,
)
def test_command_line_accepts_options_or_reports_one_line(place, task, options):
    typed = [part for flag, value in options for part in (f"{flag}={value}",)]
    typed = [text.replace("\0", "") for text in ("train", task, *typed, "--dry-run", "--quiet")]
    assume("--debug" not in typed)  # `--debug` shows the traceback
    rum(*typed, around=place)
