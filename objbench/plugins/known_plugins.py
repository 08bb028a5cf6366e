"""What is known of the plugins before any is imported: names, and the kinds and options of old.

Importing a plugin imports torch, which takes seconds. Names are in the package metadata. The kind
and the options of a plugin are written to a small JSON file whenever it is loaded, together with
digests of the source files that declare them, and believed as long as these files are unchanged.
So a misspelt option is reported at once, in the same words as after loading; a plugin that is not
in the cache is simply checked later. A cache that cannot be read or written is no error.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from objbench.contract.composition import distinct_parts, is_composed, parts_of
from objbench.contract.options import checked, option_types
from objbench.errors import UnknownNameError, WrongKindError
from objbench.plugins.loading import load_plugins, plugin_entry_points
from objbench.plugins.registry import HINT, Registry
from objbench.plugins.source_digest import source_files
from objbench.results.atomic_files import write_text

_FORMAT = "1"
_PLAIN = {"bool": bool, "float": float, "int": int, "str": str, "None": type(None)}
_ANY = "Any"
Options = Mapping[str, Mapping[str, Any]]
"""Plugin -> option -> value; of a composition part -> option -> value."""


@dataclass(frozen=True, slots=True)
class Description:
    """A plugin as it was when it was last loaded.

    Attributes:
        kind: "objective", "term" or "suite".
        options: option -> type; ``Any`` for a type that JSON cannot hold.
    """

    kind: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class KnownPlugins:
    """The installed plugins, as far as they are known without importing one.

    Attributes:
        cache: folder of the descriptions; need not exist.
        entry_points: look among these instead of the installed ones.
    """

    cache: Path
    entry_points: tuple[EntryPoint, ...] | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all plugins."""
        return tuple(sorted({entry.name for entry in self._entries}))

    @cached_property
    def _entries(self) -> list[EntryPoint]:
        return plugin_entry_points(self.entry_points)

    def require(self, kind: str, name: str) -> None:
        """Refuse a name, plain or composed, of which a part is no plugin or of the wrong kind.

        Args:
            kind: what the name, or its first part, should be: "objective", "suite", or "plugin"
                for any of them; further parts are terms.

        Raises:
            UnknownNameError: no plugin is called so.
            WrongKindError: a plugin is known to be of another kind.
            ConfigError: a term is named twice, or the label is none.
        """
        for wanted, part in _kinds(kind, name):
            if part not in self.names:
                if any(self.describe(other) is None for other in self.names):
                    # Once on a new machine: an error that lists suites as objectives is no help.
                    self.remember(load_plugins(self.entry_points))
                candidates = {other: self.describe(other) for other in self.names}
                fitting = [
                    other
                    for other, known in candidates.items()
                    if kind == "plugin" or known is None or known.kind == wanted
                ]
                raise UnknownNameError(wanted, part, fitting, HINT)
            known = None if kind == "plugin" else self.describe(part)
            if known is not None and known.kind != wanted:
                raise WrongKindError(part, wanted, known.kind)

    def check_options(
        self, objectives: Iterable[str], suites: Iterable[str], options: Options
    ) -> None:
        """Check the options of a study's plugins as far as these are known.

        Raises:
            ConfigError: an option is unknown, or its value does not fit.
        """
        for name, given in [*_objective_options(objectives, options), *_of(suites, options)]:
            known = self.describe(name)
            if known is not None:
                checked(name, given, known.options)

    def describe(self, name: str) -> Description | None:
        """What the cache says of a plugin; None where it says nothing that is up to date."""
        entry = self._only_entry(name)
        if entry is None:
            return None
        # Whatever is in the file, or not: a cache is no place for errors.
        with suppress(Exception):
            stored = json.loads(self._place(entry).read_text("utf-8"))
            sources = stored["sources"]
            if sources and all(_digest(Path(path)) == old for path, old in sources.items()):
                options = {name: _decoded(hint) for name, hint in stored["options"].items()}
                return Description(stored["kind"], options)
        return None

    def remember(self, registry: Registry) -> None:
        """Describe the plugins of ``registry`` in the cache, those that it does not know yet."""
        for kind, classes in registry.by_kind.items():
            for name, cls in classes.items():
                entry = self._only_entry(name)
                if entry is not None and self.describe(name) is None:
                    # Annotations of foreign code are evaluated here, and the disk may be full.
                    with suppress(Exception):
                        write_text(self._place(entry), _described(kind, cls, entry.module))

    def _only_entry(self, name: str) -> EntryPoint | None:
        """The entry point called ``name``; of several only loading tells which holds the name."""
        entries = [entry for entry in self._entries if entry.name == name]
        return entries[0] if len(entries) == 1 else None

    def _place(self, entry: EntryPoint) -> Path:
        # Two environments may hold different copies of one project.
        spec = importlib.util.find_spec(entry.module.partition(".")[0])
        place = (spec.origin, *(spec.submodule_search_locations or ())) if spec else ()
        key = "\x1f".join([_FORMAT, entry.name, entry.value, *map(str, place)])
        return self.cache / f"{entry.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _described(kind: str, cls: Any, module: str) -> str:
    sources = source_files(cls, cls.Config, modules=[module]).values()
    return json.dumps(
        {
            "kind": kind,
            "options": {name: _encoded(hint) for name, hint in option_types(cls).items()},
            "sources": {str(path): _digest(path) for path in sources},
        }
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _encoded(hint: Any) -> Any:
    """A type as JSON."""
    for name, plain in _PLAIN.items():
        if hint is plain:
            return name
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        parts = [_encoded(argument) for argument in arguments]
        return _ANY if _ANY in parts else {"union": parts}
    if origin is Literal and all(isinstance(value, str | int) for value in arguments):
        return {"literal": list(arguments)}
    return _ANY


def _decoded(stored: Any) -> Any:
    """The type that ``_encoded`` made ``stored`` of; ``Any`` for one that it could not hold."""
    if stored == _ANY:
        return Any
    if isinstance(stored, str):
        return _PLAIN[stored]
    if "union" in stored:
        return Union[tuple(map(_decoded, stored["union"]))]  # noqa: UP007 - made at run time
    return Literal[tuple(stored["literal"])]


def _kinds(kind: str, name: str) -> Iterator[tuple[str, str]]:
    """(kind, plugin) of every part of a name."""
    first, *rest = distinct_parts(name)
    yield kind, first
    for part in rest:
        yield "term", part


def _of(names: Iterable[str], options: Options) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in names:
        yield name, options.get(name, {})


def _objective_options(
    objectives: Iterable[str], options: Options
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(plugin, its options) for every part of every objective, a composition's own included."""
    for name in objectives:
        parts = parts_of(name)
        yield from _of(parts, options)
        for part in parts if is_composed(name) else ():
            own = options.get(name, {}).get(part)
            if isinstance(own, Mapping):
                yield part, own
