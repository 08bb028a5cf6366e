"""Find and load plugins; a broken one is reported with its reason, and the others still work.

Plugins are the entry points of the group ``objbench``, those of objbench and of other projects
alike. pluggy's own loop over entry points is not used, because there the first broken plugin ends
the program, and a second plugin of the same name is silently dropped.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
from collections.abc import Callable, Collection, Iterable
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import Any

import pluggy

from objbench.contract import hooks as hookspecs
from objbench.contract.composition import plugins_of
from objbench.errors import PluginError, UnknownNameError, one_line
from objbench.plugins import registration as contract
from objbench.plugins.fault_place import fault_place
from objbench.plugins.registry import HINT, BrokenPlugin, Origin, Registry

GROUP = "objbench"
LIMIT = "OBJBENCH_PLUGINS"

_log = logging.getLogger(__name__)


def load_plugins(
    entry_points: Iterable[EntryPoint] | None = None, only: Collection[str] | None = None
) -> Registry:
    """Load the plugins and check every class they register.

    Args:
        entry_points: load these instead of the installed ones.
        only: load only these plugins and those that these names are composed of; None for all
            that ``OBJBENCH_PLUGINS`` allows.

    Raises:
        UnknownNameError: ``only`` or ``OBJBENCH_PLUGINS`` names a plugin that is not installed.
    """
    entries = plugin_entry_points(entry_points)
    known = {entry.name for entry in entries}
    only = None if only is None else plugins_of(only)
    for name in only or ():
        if name not in known:
            raise UnknownNameError("plugin", name, known, HINT)
    loader = _Loader({(_origin(entry).project, entry.name) for entry in entries})
    for entry in entries:
        if only is None or entry.name in only:
            loader.load(entry)
    return loader.registry()


def plugin_entry_points(given: Iterable[EntryPoint] | None = None) -> list[EntryPoint]:
    """The entry points in the order in which they claim names, limited by ``OBJBENCH_PLUGINS``.

    Raises:
        UnknownNameError: ``OBJBENCH_PLUGINS`` names a plugin that is not installed.
    """
    found = importlib.metadata.entry_points(group=GROUP) if given is None else given
    # This project comes first: a foreign plugin of the same name cannot change its results.
    ordered = sorted(
        found, key=lambda entry: (_origin(entry).project != GROUP, str(_origin(entry)), entry.name)
    )
    limit = [name.strip() for name in os.environ.get(LIMIT, "").split(",") if name.strip()]
    known = {entry.name for entry in ordered}
    for name in limit:
        if name not in known:
            raise UnknownNameError("plugin", name, known, f"; correct {LIMIT}")
    return [entry for entry in ordered if not limit or entry.name in limit]


def _origin(entry: EntryPoint) -> Origin:
    return Origin(entry.dist.name, entry.dist.version) if entry.dist else Origin("unknown", "?")


class _Loader:
    """Loads one entry point after the other; what a broken one registered is removed."""

    def __init__(self, own_names: set[tuple[str, str]]) -> None:
        self._own_names = own_names
        self._classes: dict[str, tuple[str, Any]] = {}
        self._origins: dict[str, Origin] = {}
        self._broken: list[BrokenPlugin] = []

    def load(self, entry: EntryPoint) -> None:
        origin = _origin(entry)
        if self._origins.get(entry.name) == origin:
            return  # registered when the other entry point of its module was loaded
        try:
            staged = self._staged(entry, origin)
        # Foreign code may raise anything at import, and the other plugins must still load.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            _log.debug("plugin %s of %s", entry.name, origin, exc_info=True)
            kind = "" if isinstance(error, PluginError) else f"{type(error).__name__}: "
            reason = error.reason if isinstance(error, PluginError) else error
            if isinstance(error, SyntaxError):
                reason = error.msg  # its text ends with its place, which follows
            place = "" if isinstance(error, PluginError) else fault_place(error)
            at = f" ({place})" if place and place not in str(reason) else ""
            self._broken.append(BrokenPlugin(entry.name, origin, one_line(f"{kind}{reason}{at}")))
            return
        self._classes.update(staged)
        self._origins.update(dict.fromkeys(staged, origin))

    def _staged(self, entry: EntryPoint, origin: Origin) -> dict[str, tuple[str, Any]]:
        from objbench.contract.objective import AddedTerm, Objective
        from objbench.contract.suite import CurveSuite, Suite

        staged: dict[str, tuple[str, Any]] = {}

        def taker(
            kind: str, kinds: tuple[type, ...], *declared: str, options: tuple[str, ...] = ()
        ) -> Callable[[Any], None]:
            def register(cls: Any) -> None:
                for fault in contract.faults(cls, kinds, declared, options):
                    raise PluginError(entry.name, str(origin), fault)
                self._claim(cls.name, entry, origin, staged)
                staged[cls.name] = (kind, cls)

            return register

        # One manager per plugin, so that a fault is reported for it and leaves nothing behind.
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(hookspecs)
        if entry.name in self._origins:
            self._claim(entry.name, entry, origin, staged)
        manager.register(entry.load(), entry.name)
        manager.check_pending()
        manager.hook.register_objectives(
            register=taker("objective", (Objective,), "name", "summary", "reference")
        )
        manager.hook.register_terms(
            register=taker(
                "term", (AddedTerm,), "name", "summary", "reference", options=("weight",)
            )
        )
        manager.hook.register_suites(
            register=taker("suite", (Suite, CurveSuite), "name", "summary")
        )
        if entry.name not in staged:
            reason = f"registers nothing named {entry.name!r}; is its hook marked @hookimpl?"
            raise PluginError(entry.name, str(origin), reason)
        return staged

    def _claim(self, name: str, entry: EntryPoint, origin: Origin, staged: Collection[str]) -> None:
        holder = origin if name in staged else self._origins.get(name)
        if holder is not None:
            reason = f"the name {name!r} is taken by {holder}"
        elif (origin.project, name) not in self._own_names:
            reason = f"registers {name!r}, which is not the name of an entry point of its project"
        else:
            return
        raise PluginError(entry.name, str(origin), reason)

    def registry(self) -> Registry:
        kinds: dict[str, dict[str, Any]] = {"objective": {}, "term": {}, "suite": {}}
        for name, (kind, cls) in sorted(self._classes.items()):
            kinds[kind][name] = cls
        return Registry(
            MappingProxyType(kinds["objective"]),
            MappingProxyType(kinds["term"]),
            MappingProxyType(kinds["suite"]),
            tuple(sorted(self._broken, key=lambda plugin: (plugin.name, str(plugin.origin)))),
            MappingProxyType(self._origins),
        )
