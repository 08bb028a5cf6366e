"""A digest of a plugin's source, so that a cell goes stale when the code behind it changes.

The class's own module is not enough: an objective may take its corruption from one sibling module
and its loss from another. So imports are followed within the plugin's own packages, on the syntax
tree, which also sees imports inside functions. A module of the core that a plugin imports by its
full name (``objbench.blocks.masking``) is a building block of its loss and enters too. What those
import in turn, and the contracts behind the public names, belong to the engine and are covered by
``ENGINE_VERSION``; libraries are covered by the versions in the record.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from objbench import PUBLIC_NAMES
from objbench.contract.composition import Composition

_DIGESTS: dict[Any, str] = {}
_FOREIGN = frozenset({"objbench", "torch", "transformers", *sys.stdlib_module_names})


def source_digest(kind: type | Composition) -> str:
    """SHA-256 over the source of the modules that define ``kind``, as hexadecimal digits.

    As it is when this process first asks: what is written into a file later is not what runs here.

    Raises:
        LookupError: the source of one of them cannot be found.
    """
    # A plan of 150,000 cells asks as often for the digests of a few plugins.
    if kind not in _DIGESTS:
        texts = {name: path.read_text("utf-8") for name, path in sources(kind).items()}
        _DIGESTS[kind] = digest_of_texts(texts)
    return _DIGESTS[kind]


def sources(kind: type | Composition) -> dict[str, Path]:
    """The modules that the digest of ``kind`` is of, by name; raises as ``source_digest``."""
    return source_files(*(kind.parts if isinstance(kind, Composition) else (kind,)))


def digest_of_texts(texts: Mapping[str, str]) -> str:
    """The digest of modules, given as name -> source text."""
    digest = hashlib.sha256()
    for name in sorted(texts):
        digest.update(f"{name}\x1f{texts[name]}\x1e".encode())
    return digest.hexdigest()


def source_files(*classes: type, modules: Iterable[str] = ()) -> dict[str, Path]:
    """The modules that define ``classes``, by name, each with its source file.

    Those are the modules of the classes' method resolution orders and ``modules``, all that these
    import from their own top-level packages, and the modules of the core that any of them names.

    Raises:
        LookupError: the source of one of them cannot be found.
    """
    waiting = [*modules, *(parent.__module__ for cls in classes for parent in cls.__mro__)]
    waiting = [name for name in waiting if _top(name) not in _FOREIGN]
    packages = {_top(name) for name in waiting}
    files: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        if name not in files:
            path = _path(name)
            if path is None:
                raise LookupError(f"{name} has no source file, so what it defines has no digest")
            files[name] = path
            if _top(name) in packages:
                text, is_package = path.read_text("utf-8"), path.name == "__init__.py"
                imported = _imported(text, name, is_package=is_package)
                waiting += [one for one in imported if _enters(one, packages) and _path(one)]
    return files


def _enters(name: str, packages: set[str]) -> bool:
    building_block = name.startswith("objbench.") and name not in PUBLIC_NAMES
    return _top(name) in packages or building_block


def _top(name: str) -> str:
    return name.partition(".")[0]


def _path(name: str) -> Path | None:
    """The source file of a module, None where ``name`` is no module or has none."""
    loaded = getattr(sys.modules.get(name), "__file__", None)
    if loaded is None:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None
        loaded = spec.origin if spec and spec.has_location else None
    return Path(loaded) if loaded and loaded.endswith(".py") else None


@lru_cache(maxsize=512)
def _imported(text: str, name: str, *, is_package: bool) -> tuple[str, ...]:
    """Names of modules, or of things in modules, that a module's source imports."""
    return tuple(_names_imported(text, name, is_package=is_package))


def _names_imported(text: str, name: str, *, is_package: bool) -> Iterator[str]:
    package = name if is_package else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            origin = importlib.util.resolve_name(relative, package) if node.level else relative
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)
