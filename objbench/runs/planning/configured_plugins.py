"""The plugins of a study, found in the registry and configured with the study's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from objbench.contract.composition import ObjectiveClass, configured
from objbench.contract.options import configure
from objbench.contract.suite import CurveSuite, Suite
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
        UnknownNameError, PluginError, ConfigError: a name or an option does not fit.
    """
    objectives = {}
    for name in study.objectives:
        objective = registry.objective(name)
        objectives[name] = (objective, configured(objective, study.for_objective(name).options))
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
