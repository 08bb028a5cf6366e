"""The plugins of a study, found in the registry and configured with the study's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from objbench.contract.composition import ObjectiveClass, configured
from objbench.contract.options import configure
from objbench.contract.phases import has_phases
from objbench.contract.suite import CurveSuite, Suite
from objbench.errors import ConfigError
from objbench.plugins.registry import Registry
from objbench.study.study import Study


@dataclass(frozen=True, slots=True)
class ConfiguredPlugins:
    """The plugins of a study, configured.

    Attributes:
        objectives: name -> (class or composition, its Config).
        suites: name -> evaluating suite.
        curves: name -> curve suite.
    """

    objectives: Mapping[str, tuple[ObjectiveClass, Any]]
    suites: Mapping[str, Suite]
    curves: Mapping[str, CurveSuite]

    def config(self, own: Study, objective: str) -> Any:
        """The ``Config`` of ``objective`` in the study as it runs it, ``own`` (see ``Study.of``)."""
        kind, _ = self.objectives[objective]
        return configured(kind, own.options)


def configure_plugins(study: Study, registry: Registry) -> ConfiguredPlugins:
    """The study's plugins, each configured with the study's options.

    Raises:
        UnknownNameError, PluginError, ConfigError: a name or an option does not fit, or an objective
            does not fit the schedule.
    """
    objectives = {}
    for name in study.objectives:
        objective, own = registry.objective(name), study.for_objective(name)
        config = configured(objective, own.options)
        if own.training.schedule == "trunk" and has_phases(objective, config):
            raise ConfigError(
                f"{name} goes from one kind of batch to another at a share of its budget, and the "
                "points of the schedule 'trunk' have no budget in common: choose "
                "training.schedule = 'linear' or 'constant'"
            )
        objectives[name] = (objective, config)
    suites: dict[str, Suite] = {}
    curves: dict[str, CurveSuite] = {}
    for name in study.evaluation.suites:
        suite = registry.suite(name)
        made = suite(configure(suite, study.options.get(name, {})))
        if isinstance(made, CurveSuite):
            curves[name] = made
        else:
            suites[name] = made
    return ConfiguredPlugins(objectives, suites, curves)
