"""User-defined Keras callbacks, which run before `RunCallback`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from rumcli import plugins
from rumcli.config import CallbackConfig
from rumcli.errors import ConfigError, RunError
from rumcli.training.callback import TrainState
from rumcli.training.run_dir import RunDir

_FORWARDED = [
    f"on_{part}_{edge}"
    for part in ("epoch", "train_batch", "test", "test_batch")
    for edge in ("begin", "end")
]


class UserCallback(keras.callbacks.Callback):
    """Wrapper of a user-defined callback that adds its path to errors.

    A run calls `fit` several times. `on_train_begin` and `on_train_end` are forwarded only once.

    Args:
        path: Path of the callback, `package.module:Class`.
        callback: Callback to wrap.
        progress: Progress of the run. `stopped_by` is set to `path` if the callback sets
            `model.stop_training`.
        run_dir: Run directory.
    """

    def __init__(
        self, path: str, callback: keras.callbacks.Callback, progress: TrainState, run_dir: RunDir
    ) -> None:
        super().__init__()
        self._path = path
        self._callback = callback
        self._progress = progress
        self._run_dir = run_dir
        self._has_begun = False
        for name in _FORWARDED:
            setattr(self, name, self._forwarding(name))

    def set_params(self, params: Any) -> None:
        """Forward the parameters of `fit`."""
        self._callback.set_params(params)

    def set_model(self, model: keras.Model) -> None:
        """Forward the model."""
        super().set_model(model)
        self._callback.set_model(model)

    def on_train_begin(self, logs: Any = None) -> None:
        """Forward the start of the first call of `fit`."""
        if not self._has_begun:
            self._has_begun = True
            self._call("on_train_begin", logs)

    def finish(self) -> None:
        """Call `on_train_end`, after the last call of `fit`."""
        if self._has_begun:
            self._call("on_train_end")

    def _forwarding(self, name: str) -> Any:
        return lambda *arguments, **named: self._call(name, *arguments, **named)

    def _call(self, name: str, *arguments: Any, **named: Any) -> None:
        try:
            getattr(self._callback, name)(*arguments, **named)
        except Exception as error:
            raise RunError(
                f"callback {self._path} failed in {name}: {plugins.shown(error)}; to continue: "
                f"{self._run_dir.resume_call(trust_code=True)}"
            ) from error
        # Not `self.model`, which copies all variables on JAX.
        if self._model.stop_training and self._progress.stopped_by is None:
            self._progress.stopped_by = self._path


def make(configs: Sequence[CallbackConfig]) -> list[tuple[str, keras.callbacks.Callback]]:
    """Create the user-defined callbacks of a configuration.

    Args:
        configs: Section `train.callbacks`.

    Returns:
        Pairs of path and callback.

    Raises:
        ConfigError: If the code is not trusted, or the factory fails or does not return a Keras
            callback.
    """
    return [(one.factory, _make(one)) for one in configs]


def _make(config: CallbackConfig) -> keras.callbacks.Callback:
    made = plugins.make(config.factory, "callback", **config.options)
    if not isinstance(made, keras.callbacks.Callback):
        raise ConfigError(
            f"callback {config.factory}: expected a keras.callbacks.Callback, "
            f"got {type(made).__name__}"
        )
    return made
