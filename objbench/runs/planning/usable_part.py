"""Which part of a stranger's study can be planned here: its plugins are installed, its data are there.

A plugin counts as installed if its source is the one that the records name. Whatever is left out is
said with its reason. Nothing is opened that the study names by a path, which would be a path of this
machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from objbench.errors import ObjbenchError, UnknownNameError, one_line
from objbench.plugins.registry import Registry
from objbench.plugins.source_digest import source_digest
from objbench.runs.planning.configured_plugins import ConfiguredPlugins, configure_plugins
from objbench.runs.planning.teachers import teachers_of
from objbench.study.study import Study

Options = Mapping[str, Mapping[str, Any]]
"""Suite -> option -> value, in place of the study's: where its data are on this machine."""


class UsablePart:
    """The part of a study whose plugins and data are here, and why the rest is not.

    Args:
        study: the stranger's.
        registry: what is installed.
        sources: name of a plugin -> the digest of its source, as its records have it.
        options: see ``Options``.
    """

    def __init__(
        self, study: Study, registry: Registry, sources: Mapping[str, str], options: Options
    ) -> None:
        self.reasons: list[str] = []
        self._study, self._registry, self._sources = study, registry, sources
        self._options = options
        self._left_out: set[str] = set()

    def study_and_plugins(self) -> tuple[Study, ConfiguredPlugins | None]:
        """The study with what can be used, and its plugins; None where the baseline cannot."""
        study = self._study
        here = (n for n in study.objectives if n not in self._left_out)
        objectives = tuple(n for n in here if self._is_here(n, "objective"))
        if study.objectives[0] not in objectives:
            self.reasons.append("no key: without the baseline there is no budget")
            return study, None
        study = study.model_copy(
            update={
                "objectives": objectives,
                "overrides": {n: o for n, o in study.overrides.items() if n in objectives},
                "tuning": None,
            }
        )
        suites = [
            name
            for name in study.evaluation.suites
            if self._is_here(name, "suite") and self._is_open(name, study.options.get(name, {}))
        ]
        while True:
            evaluation = study.evaluation.model_copy(update={"suites": tuple(suites)})
            try:
                reduced = study.model_copy(update={"evaluation": evaluation})
                plugins = configure_plugins(reduced, self._registry)
                break
            except ObjbenchError as error:
                if not suites:
                    self.reasons.append(f"no key: {one_line(error)[:200]}")
                    return study, None
                # One suite after the other: the last is the first suspect.
                self.reasons.append(f"the keys of {suites.pop()}: {one_line(error)[:200]}")
        if orphan := _without_teacher(plugins):
            self.reasons.append(f"the keys of {orphan}: its teacher is not here")
            self._left_out.add(orphan)
            return self.study_and_plugins()
        usable = [name for name in suites if self._has_data(name, plugins)]
        for name, curve in plugins.curves.items():
            follows = curve.follows(tuple(n for n in self._study.evaluation.suites if n != name))
            if name in usable and follows not in usable:
                usable.remove(name)
                self.reasons.append(f"the keys of {name}: those of {follows} are not known")
        evaluation = evaluation.model_copy(update={"suites": tuple(usable)})
        reduced = reduced.model_copy(update={"evaluation": evaluation})
        return reduced, configure_plugins(reduced, self._registry)

    def _is_here(self, name: str, kind: str) -> bool:
        """Whether a plugin is installed with the source that its records name."""
        try:
            found = (
                self._registry.objective(name)
                if kind == "objective"
                else self._registry.suite(name)
            )
            own = source_digest(found)
        except (ObjbenchError, LookupError) as error:
            why = "it is not installed here" if isinstance(error, UnknownNameError) else str(error)
            self.reasons.append(f"the keys of {name}: {one_line(why)[:200]}")
            return False
        if name not in self._sources:
            self.reasons.append(f"the keys of {name}: no record says what source it has")
        elif own != self._sources[name]:
            self.reasons.append(
                f"the keys of {name}: its source is {self._sources[name][:12]}, and the one "
                f"installed here is {own[:12]}"
            )
        return self._sources.get(name) == own

    def _is_open(self, name: str, options: Mapping[str, Any]) -> bool:
        """Whether no option of a suite is a path that only the stranger has chosen."""
        own = self._options.get(name, {})
        for option, value in options.items():
            if option not in own and isinstance(value, str) and ("/" in value or "\\" in value):
                self.reasons.append(
                    f"the keys of {name}: say where its data are here with --set "
                    f"{name}.{option}=DIR (there: {one_line(value)[:80]})"
                )
                return False
        return True

    def _has_data(self, name: str, plugins: ConfiguredPlugins) -> bool:
        suite = plugins.suites.get(name)
        try:
            for task in suite.tasks() if suite is not None else ():
                suite.fingerprint(task)  # type: ignore[union-attr]
        except (ObjbenchError, OSError) as error:
            self.reasons.append(f"the keys of {name}: {one_line(error)[:200]}")
            return False
        return True


def _without_teacher(plugins: ConfiguredPlugins) -> str:
    """An objective that learns from one that is not there; "" where there is none."""
    for name, teachers in teachers_of(plugins).items():
        if not {*teachers} <= plugins.objectives.keys():
            return name
    return ""
