"""A run of a sweep as Ray Tune sees it, in a process of Ray's on any machine of the cluster."""

from __future__ import annotations

import contextlib
import math
import os
import time
from pathlib import Path
from typing import Any

from ray import tune

from rumcli.sweeps import worker
from rumcli.sweeps.listener import Standing
from rumcli.training.run_folder import RunFolder

_BEAT = 2.0  # seconds between two signs of life
_LOOK = 0.25  # seconds between two looks whether a stop is asked for


class Trial(tune.Trainable):
    """Trains in a run folder that all machines see, and goes on with what is there.

    Ray keeps no state of it: a process or machine may die at any time, and another one goes on
    from the folder's last checkpoint, to the last bit as if nothing had been.
    """

    def setup(self, config: dict[str, Any]) -> None:
        """Begin to train, in a thread."""
        worker.take_over(config["environment"])
        worker.limit_threads(config["cores"])
        worker.limit_gpus(config["gpus"])
        with contextlib.suppress(OSError):  # where own code is found; another machine may lack it
            os.chdir(config["place"])
        self._stop_file = Path(config["stop_file"])
        self._training = worker.Training(RunFolder(Path(config["folder"])), config["start"])

    def step(self) -> dict[str, Any]:
        """Return the next evaluation, or the end, or after a while how far the run is."""
        late = time.monotonic() + _BEAT
        while True:
            if self._stop_file.exists():
                self._training.stop()
            news = self._training.news(_LOOK)
            if news is not None or time.monotonic() > late:
                return _report(news, self._training.standing)

    def cleanup(self) -> None:
        """Let the run save and end."""
        self._training.stop()
        self._training.join()


def _report(news: Standing | worker.End | None, standing: Standing | None) -> dict[str, Any]:
    if isinstance(news, worker.End):
        return {"state": news.state, "message": news.message, "done": True}
    report: dict[str, Any] = {"standing": news or standing}
    if news is not None and news.value is not None and math.isfinite(news.value):
        report["step"] = news.step
        report["score"] = -news.value if news.higher_is_better else news.value
    return report
