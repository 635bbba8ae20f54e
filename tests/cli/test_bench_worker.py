"""The process that measures for `rum bench`, without the process."""

import dataclasses
import json

import keras

from rumcli.benchmark.cases import Case, Subject
from rumcli.cli import _bench_worker

TINY = Case(
    name="copying", steps=2, batch=2, features=3, units=2, classes=2, return_sequences=False
)


def served(*requests, debug=False):
    replies = []
    _bench_worker.serve(map(json.dumps, requests), replies.append, debug)
    return replies


def preparation(cell):
    jit = False if keras.backend.backend() == "tensorflow" else None
    subject = dataclasses.asdict(Subject(cell, cell, {}, jit))
    return {"request": "prepare", "case": TINY.model_dump(), "subjects": [subject]}


def test_worker_describes_its_machine_and_measures_round_by_round():
    machine, status, prepared, first, second = served(
        {"request": "machine"}, preparation("rnn"), {"request": "round"}, {"request": "round"}
    )
    assert machine["result"]["backend"] == keras.backend.backend()
    assert status == {"status": "copying: preparing rnn"}
    ((timing,),) = [prepared["result"]]
    assert timing["parameters"] == 3 * 2 + 2 * 2 + 2 + 2 * 2 + 2
    for reply in (first, second):
        (sample,) = reply["result"]
        assert 0 < sample < timing["first_step"]


def test_failed_measurement_is_the_last_reply(capfd):
    *_, error = served(preparation("bogus"), {"request": "round"})
    assert error["usage"] is False
    assert "bogus" in error["error"]
    assert "Traceback" not in capfd.readouterr().err
    served(preparation("bogus"), debug=True)
    assert "Traceback" in capfd.readouterr().err
