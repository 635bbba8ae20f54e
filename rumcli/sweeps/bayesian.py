"""Bayesian search with Optuna's tree-structured Parzen estimator."""

from __future__ import annotations

import warnings
from typing import Any

import optuna

from rumcli.jobs.job_spec import Settings
from rumcli.sweeps import sweep_spec
from rumcli.sweeps.sweep_spec import Parameter, PointSource, Range, SweepPlan

_MAX_DUPLICATES = 50  # maximum number of successive duplicates


class Bayesian(PointSource):
    """Source of points that minimizes the score.

    Args:
        plan: Plan of the sweep.
    """

    def __init__(self, plan: SweepPlan) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._parameters = plan.parameters
        self._space = {key: _space(value) for key, value in plan.parameters.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that `constant_liar` is experimental in Optuna
            # Treats pending points as bad, so that concurrent points differ.
            sampler = optuna.samplers.TPESampler(seed=plan.spec.search_seed, constant_liar=True)
        self._study = optuna.create_study(sampler=sampler, direction="minimize")
        self._trials: dict[int, Any] = {}
        self._known: dict[int, Settings] = {}
        self._scores: dict[str, float | None] = {}

    def known(self, number: int, settings: Settings) -> None:
        """Register a point of an earlier command, whose score may follow."""
        self._known[number] = settings
        self._scores[sweep_spec.identity(settings)] = None

    def next(self, number: int) -> Settings | None:
        """Propose a new point."""
        total = sweep_spec.num_points(self._parameters)
        if total is not None and len(self._scores) >= total:
            return None
        for _ in range(_MAX_DUPLICATES):
            trial = self._study.ask(self._space)
            settings = {
                key: _value(value, trial.params[key]) for key, value in self._parameters.items()
            }
            key = sweep_spec.identity(settings)
            if key not in self._scores:
                self._trials[number], self._scores[key] = trial, None
                self._known[number] = settings
                return settings
            self._tell(trial, self._scores[key])  # lowers the probability of another duplicate
        return None

    def ended(self, number: int, score: float | None) -> None:
        """Register the score of a point."""
        settings = self._known[number]
        self._scores[sweep_spec.identity(settings)] = score
        if number in self._trials:
            self._tell(self._trials.pop(number), score)
        elif score is not None:
            params = {key: _coded(self._parameters[key], settings[key]) for key in self._space}
            self._study.add_trial(
                optuna.trial.create_trial(params=params, distributions=self._space, value=score)
            )

    def _tell(self, trial: Any, score: float | None) -> None:
        if score is None:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            self._study.tell(trial, score)


def _space(value: Parameter) -> Any:
    if isinstance(value, list):  # by index: values may be of any type
        return optuna.distributions.CategoricalDistribution(range(len(value)))
    if value.integer:
        return optuna.distributions.IntDistribution(int(value.low), int(value.high), value.log)
    return optuna.distributions.FloatDistribution(value.low, value.high, value.log)


def _value(value: Parameter, drawn: Any) -> Any:
    return value.number(drawn) if isinstance(value, Range) else value[drawn]


def _coded(value: Parameter, setting: Any) -> Any:
    return setting if isinstance(value, Range) else value.index(setting)
