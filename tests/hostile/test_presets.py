"""Configurations of others: as `--preset`, and as `config.yaml` of a run directory."""

import json
import re

import pytest
from hypothesis import strategies as st

from rumcli import config
from rumcli.config import catalog, yaml_io
from tests.hostile import bounded, strategies
from tests.hostile.cases import fuzz
from tests.hostile.outcomes import REFUSED, attempt, rum

pytestmark = pytest.mark.usefixtures("_shipped_presets_are_parsed_once")

SHIPPED = [catalog.preset_path(name).read_bytes() for name in catalog.preset_names()]
COMPLETE = [config.build(name) for name in ("copying", "recall", "babi", "ptb_fs_rum", "ptb")]
YAML = [config.to_yaml(run).encode() for run in COMPLETE]
# Pieces that make YAML behave, more often than chance would put them together.
PIECES = (
    *(
        "&a ",
        "*a",
        "<<: *a",
        "[",
        "]",
        "{",
        "}",
        ": ",
        ", ",
        "\n",
        "\n  ",
        "\n- ",
        "? ",
        "| ",
        "> ",
    ),
    *("!!", "!", "%YAML 1.1\n", "---\n", "...\n", "# ", "'", '"', "\t", "\ufeff", "\0"),
    *(
        "task",
        "name",
        "copying",
        "cell",
        "rum",
        "fsrnn",
        "fast",
        "optimizer",
        "train",
        "steps",
        "1",
    ),
    *strategies.TEXTS,
)


def build(place, content):
    """Build a run from an untrusted preset; the run can be written and read."""
    (place / "x.yaml").write_bytes(content)
    run = attempt(config.build, "x.yaml", around=place)
    if run is not REFUSED:
        values = yaml_io.parse(config.to_yaml(run), "again").values
        assert config.RunConfig.model_validate(values) == run
    return run


@fuzz(fast=120, slow=8000, content=strategies.changed(SHIPPED))
def test_a_preset_with_changed_bytes_is_read_or_rejected(place, content):
    build(place, content)


@fuzz(
    fast=120,
    slow=8000,
    run=st.one_of([strategies.replaced(run.model_dump()) for run in COMPLETE]),
)
def test_a_preset_with_parts_replaced_is_read_or_rejected(place, run):
    build(place, dumped(run))


@fuzz(fast=60, slow=4000, pieces=st.lists(st.sampled_from(PIECES), max_size=12))
def test_pieces_of_yaml_are_read_or_rejected(place, pieces):
    build(place, "".join(pieces).encode(errors="surrogatepass"))


@fuzz(fast=60, slow=4000, content=strategies.changed(YAML))
def test_the_configuration_of_a_run_folder_is_read_or_rejected(place, content):
    path = place / "config.yaml"
    path.write_bytes(content)
    attempt(config.from_file, path, around=place)


@fuzz(fast=30, slow=1000, content=strategies.changed([*SHIPPED, *YAML]))
def test_command_line_shows_a_preset_or_reports_one_line(place, content):
    (place / "x.yaml").write_bytes(content)
    rum("train", "--preset", "x.yaml", "--dry-run", "--quiet", "--json", around=place)


@pytest.mark.parametrize("text", strategies.RUNNING)
def test_yaml_object_tags_run_no_code(tmp_path, monkeypatch, text):
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.chdir(place)
    for content in (text, f"task: {text}", f"task: {{name: {text}}}", f"? {text}\n: 1"):
        assert build(place, content.encode()) is REFUSED


def dumped(content):
    """Write YAML quickly: JSON is YAML. Numbers of too many digits stand in it without quotes."""
    return re.sub(r'"(0xf+|9+)"', r"\1", json.dumps(content)).encode()


@pytest.mark.e2e
def test_bombs_are_rejected_and_take_little_memory(tmp_path):
    said = bounded.outcomes(
        """
        from pathlib import Path
        from rumcli import config
        def laughs(first, of):
            lines = ["x0: &x0 " + first]
            for n in range(1, 30):
                lines.append("x%d: &x%d " % (n, n) + of.format("*x%d" % (n - 1)))
            return "\\n".join(lines) + "\\ntask: *x29"
        TEXTS = {
            "lists": laughs("[1, 2]", "[{0}, {0}, {0}, {0}]"),
            "mappings": laughs("{a: 1}", "{{a: {0}, b: {0}, c: {0}}}"),
            "merges": laughs("{a: 1}", "{{<<: [{0}, {0}, {0}]}}"),
            "merges within lists": laughs("[{a: 1}]", "[{{<<: {0}}}, {{<<: {0}}}]"),
            "merged mappings within a list": "task: [" + ", ".join(
                ["&x0 {a: 1}"]
                + ["&x%d {<<: [*x%d, *x%d, *x%d]}" % (n, n - 1, n - 1, n - 1) for n in range(1, 25)]
            ) + "]",
            "deep lists": "task: " + "[" * 100000,
            "deep mappings": "{a: " * 100000,
            "deep blocks": "\\n".join(" " * n + "a:" for n in range(1500)),
            "a large text": "task: {name: " + "a" * 10**8 + "}",
            "many keys": "\\n".join("k%d: 1" % n for n in range(500000)),
            "a large number": "task: {name: copying, delay: 0x" + "f" * 10**6 + "}",
            "sexagesimal": "seed: 1" + ":1" * 100000,
            "an endless device": None,
        }
        def read(name):
            text = TEXTS.pop(name)
            path = Path("/dev/zero") if text is None else Path("x.yaml")
            if text is not None:
                path.write_text(text)
            del text
            config.build(str(path))
        CALLS = {name: lambda name=name: read(name) for name in TEXTS}
        """,
        tmp_path,
    )
    assert all(line.startswith("ConfigError: ") for line in said.values()), said
