"""The plugins that were loaded, and the broken ones with their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from objbench.contract.composition import (
    LABEL,
    Composition,
    ObjectiveClass,
    distinct_parts,
    parts_of,
)
from objbench.errors import PluginError, UnknownNameError, WrongKindError

if TYPE_CHECKING:
    from objbench.contract.objective import AddedTerm, Objective
    from objbench.contract.suite import CurveSuite, Suite

HINT = "; `objbench plugins` lists them, a new entry point only after `pip install -e .`"


class Origin(NamedTuple):
    """The project a plugin came from, and its version."""

    project: str
    version: str

    def __str__(self) -> str:
        return f"{self.project} {self.version}"


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that could not be loaded: its entry point, its project, and the reason."""

    name: str
    origin: Origin
    reason: str

    def error(self) -> PluginError:
        """The error to raise when the plugin is asked for."""
        return PluginError(self.name, str(self.origin), self.reason)


@dataclass(frozen=True)
class Registry:
    """The plugins that were loaded.

    Attributes:
        objectives, terms, suites: registered classes by name, in the order of the names.
        broken: the plugins that could not be loaded.
    """

    objectives: Mapping[str, type[Objective]]
    terms: Mapping[str, type[AddedTerm]]
    suites: Mapping[str, type[Suite | CurveSuite]]
    broken: Sequence[BrokenPlugin]
    _origins: Mapping[str, Origin] = field(repr=False)

    @property
    def by_kind(self) -> Mapping[str, Mapping[str, type[Any]]]:
        """The classes by name, for each of the kinds "objective", "term" and "suite"."""
        return {"objective": self.objectives, "term": self.terms, "suite": self.suites}

    def origin(self, name: str) -> Origin:
        """The project and version that registered ``name``, or each part of a composition."""
        origins = dict.fromkeys(self._origins[part] for part in parts_of(name))
        projects, versions = zip(*origins, strict=True)
        return Origin(" + ".join(projects), " + ".join(versions))

    def objective(self, name: str) -> ObjectiveClass:
        """The objective called ``name``, or the composition that the name spells.

        Raises:
            PluginError: the plugin is broken.
            WrongKindError: the plugin is a suite or a term.
            UnknownNameError: no plugin has that name.
            ConfigError: a term is named twice, or the label is none.
        """
        first, *rest = distinct_parts(name)
        label = name.partition(LABEL)[2]
        base: type[Objective] = self._find("objective", first)
        if not rest and not label:
            return base
        return Composition(base, tuple(self._find("term", term) for term in rest), label)

    def suite(self, name: str) -> type[Suite | CurveSuite]:
        """The suite called ``name``; raises like ``objective``."""
        found: type[Suite | CurveSuite] = self._find("suite", name)
        return found

    def _find(self, kind: str, name: str) -> Any:
        kinds = self.by_kind
        if name in kinds[kind]:
            return kinds[kind][name]
        for plugin in self.broken:
            if plugin.name == name:
                raise plugin.error()
        for other, classes in kinds.items():
            if name in classes:
                raise WrongKindError(name, kind, other)
        raise UnknownNameError(kind, name, kinds[kind], HINT)
