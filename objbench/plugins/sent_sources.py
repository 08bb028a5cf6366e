"""Sources of plugins that are sent with a study: packed, checked against their digest, and loaded.

A digest is of modules by name, so the files in ``plugins/<digest>/`` have the paths that they would
be imported from. They are text until ``load_sent`` runs them, which is never done unasked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from tempfile import TemporaryDirectory

from objbench.contract.composition import Composition, parts_of
from objbench.errors import ConfigError
from objbench.plugins.loading import GROUP, load_plugins, plugin_entry_points
from objbench.plugins.registry import Registry
from objbench.plugins.source_digest import digest_of_texts, source_digest, sources

_INIT = "__init__"


def packed(kind: type | Composition) -> dict[str, str]:
    """Path -> text of the modules that a plugin's digest is of.

    Raises:
        LookupError: the source of one of them cannot be found.
    """
    files = {}
    for name, path in sources(kind).items():
        place = name.replace(".", "/")
        files[f"{place}/{_INIT}.py" if path.stem == _INIT else f"{place}.py"] = path.read_text(
            "utf-8"
        )
    return files


def foreign_entries(name: str, registry: Registry) -> dict[str, str]:
    """Part of an objective, or a suite -> the module that registers it, where objbench has none."""
    modules = {entry.name: entry.value for entry in plugin_entry_points()}
    return {
        part: modules[part] for part in parts_of(name) if registry.origin(part).project != GROUP
    }


def sent_faults(folder: Path) -> list[str]:
    """The folders of sources in ``folder`` that are not what their name says, one line each."""
    found = []
    for own in sorted(path for path in folder.glob("*") if path.is_dir()):
        try:
            is_whole = digest_of_texts(_texts(own)) == own.name
        except UnicodeDecodeError:
            is_whole = False
        if not is_whole:
            found.append(f"{folder.name}/{own.name}: its sources have another digest")
    return found


@contextmanager
def load_sent(
    folder: Path, entries: Mapping[str, str], digests: Sequence[str], only: Sequence[str]
) -> Iterator[Registry]:
    """RUN the code of strangers: their plugins, loaded beside those that are installed.

    Args:
        folder: has a folder of sources for each of ``digests``, checked with ``sent_faults``.
        entries: name of a plugin -> the module of these that registers it.
        digests: which folders.
        only: names of all plugins to load.

    Raises:
        ConfigError: an entry is no module of theirs, or two sources of one module differ.
        PluginError, UnknownNameError: as ``load_plugins``.
    """
    files: dict[str, str] = {}
    for digest in digests:
        for path in sorted((folder / digest).rglob("*.py")):
            name, text = path.relative_to(folder / digest).as_posix(), path.read_text("utf-8")
            if files.setdefault(name, text) != text:
                raise ConfigError(f"two plugins bring different files {name}: neither can be run")
    modules = {_module(name) for name in files}
    installed = [entry for entry in plugin_entry_points() if entry.name not in entries]
    ours = {entry.module.partition(".")[0] for entry in installed} | {GROUP}
    for name, value in entries.items():
        if value.partition(":")[0] not in modules:
            raise ConfigError(f"{name} is to be registered by {value}, which was not sent")
    before = set(sys.modules)
    with TemporaryDirectory() as site:
        for name, text in files.items():
            if name.partition("/")[0].removesuffix(".py") not in ours:
                path = Path(site, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        # Last, so that no module of theirs is found in place of one that is installed.
        sys.path.append(site)
        try:
            theirs = [EntryPoint(name, value, GROUP) for name, value in entries.items()]
            yield load_plugins([*installed, *theirs], only=only)
        finally:
            sys.path.remove(site)
            for name in set(sys.modules) - before:
                if str(getattr(sys.modules[name], "__file__", "")).startswith(site):
                    del sys.modules[name]


def require_digest(kind: type | Composition, name: str, digest: str) -> None:
    """Refuse a plugin whose source is another than a record names.

    Raises:
        ConfigError: it is.
    """
    own = source_digest(kind)
    if own != digest:
        raise ConfigError(
            f"the source of {name} here is {own[:12]}, and the records were made with "
            f"{digest[:12]}: install that version, or leave the study unverified"
        )


def _texts(folder: Path) -> dict[str, str]:
    return {
        _module(path.relative_to(folder).as_posix()): path.read_bytes().decode("utf-8")
        for path in folder.rglob("*.py")
    }


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix(f"/{_INIT}").replace("/", ".")
