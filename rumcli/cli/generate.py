"""`rum generate`: generate text with the model of a run."""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli import errors
from rumcli.cli import _keras_startup, _options, _run_arguments
from rumcli.errors import ConfigError
from rumcli.reporting import console

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rumcli.analysis.text_generation import Symbol
    from rumcli.tasks.char_lm.corpus import CharVocabulary


def generate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory of ptb.")],
    prompt: Annotated[
        str, typer.Option(help="Beginning of the text. Default: empty, as after a newline.")
    ] = "",
    length: Annotated[
        int, _options.integer("Number of characters to generate after the prompt.")
    ] = 500,
    temperature: Annotated[
        float,
        _options.real(
            "Sampling temperature: 1 for the model's probabilities, 0 for the likeliest character."
        ),
    ] = 1.0,
    seed: Annotated[int, _options.integer("Seed of the sampling.")] = 1,
    checkpoint: _options.CheckpointOption = "best",
    trust_code: _run_arguments.Trust = False,
    as_json: _options.Json = False,
    debug: _options.Debug = False,
) -> None:
    """Generate text, character by character, from the weights of a run.

    Bytes go to stdout as they are generated, with a newline at the end if there is none.
    """
    checkpoint = _options.choose("--checkpoint", "checkpoint", checkpoint, _options.CHECKPOINTS)
    _options.at_least("--length", 1, length)
    _options.at_least("--seed", 0, seed)
    if not 0 <= temperature < math.inf:
        raise ConfigError(
            f"--temperature {errors.number(temperature)}: expected a number of at least 0"
        )
    import numpy as np

    from rumcli.training import resume
    from rumcli.training.dataset_binding import text_of
    from rumcli.training.run_dir import RunDir

    run_dir = RunDir.open(run)
    _run_arguments.check_trust(run_dir.config, trust_code, training=False)
    text = text_of(run_dir)
    resume.require_checkpoint(run_dir, checkpoint)
    prompt_bytes = os.fsencode(prompt)  # the exact bytes that were typed
    prompt_symbols = text.vocabulary.encode(np.frombuffer(prompt_bytes, dtype=np.uint8), "--prompt")
    _keras_startup.start(debug)
    _run_arguments.load_trusted(run_dir.config, training=False)
    from rumcli.analysis.text_generation import Writer

    writer = Writer(run_dir, checkpoint, text)
    symbols = itertools.islice(writer.write(prompt_symbols, temperature, seed), length)
    if not as_json:
        _stream(prompt_bytes, symbols, text.vocabulary)
        return
    from rumcli.json_schemas.analysis import GeneratedText

    generated = list(symbols)
    console.show_document(
        GeneratedText(
            prompt=prompt_bytes.decode(errors="replace"),
            text=text.vocabulary.decode(s.number for s in generated).decode(errors="replace"),
            length=length,
            seed=seed,
            temperature=temperature,
            bits_per_character=sum(symbol.bits for symbol in generated) / length,
            folder=str(run_dir.path),
        )
    )


def _stream(prompt: bytes, symbols: Iterable[Symbol], vocabulary: CharVocabulary) -> None:
    stdout = console.binary_stdout()
    last = prompt
    stdout.write(prompt)
    stdout.flush()
    for symbol in symbols:
        last = vocabulary.decode([symbol.number])
        stdout.write(last)
        stdout.flush()
    if not last.endswith(b"\n"):
        stdout.write(b"\n")
