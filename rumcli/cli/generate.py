"""`rum generate`: let a run write a text."""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rumcli import suggest
from rumcli.cli import code, engine, options
from rumcli.errors import ConfigError
from rumcli.reporting import output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rumcli.data.corpus import Vocabulary
    from rumcli.training.generation import Symbol


def generate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run of ptb.")],
    prompt: Annotated[
        str, typer.Option(help="What the text begins with. Default: nothing, as after a newline.")
    ] = "",
    length: Annotated[int, options.integer("Characters to write after the prompt.")] = 500,
    temperature: Annotated[
        float,
        options.real(
            "1: as likely as the model has it; less: more of the likely; 0: the likeliest only."
        ),
    ] = 1.0,
    seed: Annotated[int, options.integer("Seed of the draws: another one, another text.")] = 1,
    checkpoint: options.Checkpoint = "best",
    trust_code: code.Trust = False,
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Write a text, character by character, from the weights of a run.

    The bytes go to stdout as they are made, with a newline at the end if there is none.
    """
    checkpoint = options.choose("--checkpoint", "checkpoint", checkpoint, options.CHECKPOINTS)
    options.at_least("--length", 1, length)
    options.at_least("--seed", 0, seed)
    if not 0 <= temperature < math.inf:
        raise ConfigError(
            f"--temperature {suggest.number(temperature)}: expected a number of at least 0"
        )
    import numpy as np

    from rumcli.training import weights
    from rumcli.training.material import text_of
    from rumcli.training.run_folder import RunFolder

    folder = RunFolder.open(run)
    code.check(folder.config, trust_code, training=False)
    text = text_of(folder)
    weights.require(folder, checkpoint)
    given = os.fsencode(prompt)  # the very bytes that were typed
    read = text.vocabulary.encode(np.frombuffer(given, dtype=np.uint8), "--prompt")
    engine.start(debug)
    code.admit(folder.config, training=False)
    from rumcli.training.generation import Writer

    writer = Writer(folder, checkpoint, text)
    symbols = itertools.islice(writer.write(read, temperature, seed), length)
    if not as_json:
        _stream(given, symbols, text.vocabulary)
        return
    from rumcli.documents.runs import GeneratedText

    written = list(symbols)
    output.show_document(
        GeneratedText(
            prompt=given.decode(errors="replace"),
            text=text.vocabulary.decode(s.number for s in written).decode(errors="replace"),
            length=length,
            seed=seed,
            temperature=temperature,
            bits_per_character=sum(symbol.bits for symbol in written) / length,
            folder=str(folder.path),
        )
    )


def _stream(prompt: bytes, symbols: Iterable[Symbol], vocabulary: Vocabulary) -> None:
    stdout = output.binary_stdout()
    last = prompt
    stdout.write(prompt)
    stdout.flush()
    for symbol in symbols:
        last = vocabulary.decode([symbol.number])
        stdout.write(last)
        stdout.flush()
    if not last.endswith(b"\n"):
        stdout.write(b"\n")
