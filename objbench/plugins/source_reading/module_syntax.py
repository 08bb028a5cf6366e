"""A module read as syntax and not imported: what a name in it stands for, where that is certain.

Importing a plugin imports torch, which takes seconds. Its source tells most of what is asked of it
before a study starts, and parsing that takes milliseconds. But Python lets anything be changed
later, so a name is certain only if the file binds it once, by a class or an import at the top, and
nowhere uses it in a way that could change what it stands for. All else is ``UnclearSource``.
"""

from __future__ import annotations

import ast
import importlib.util
import warnings
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from functools import cached_property
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec, PathFinder
from typing import NamedTuple

from objbench.plugins.source_reading.name_uses import NameUses

_LONGEST_WAY = 16


class UnclearSource(Exception):
    """The source does not tell for certain; only importing it does."""


class Symbol(NamedTuple):
    """A name at the top of a module."""

    module: str
    name: str


class ClassSyntax(NamedTuple):
    """A class definition and the module that it stands in."""

    module: ModuleSyntax
    node: ast.ClassDef


@dataclass(frozen=True)
class ModuleSyntax:
    """The syntax tree of a module.

    Attributes:
        name: full name of the module.
        package: the package that its relative imports start from.
    """

    name: str
    package: str
    tree: ast.Module

    def binds(self, name: str) -> bool:
        """Whether any scope of the module binds ``name``; if none does, a builtin is one."""
        return self._is_opaque or name in self._bound

    def binding(self, name: str) -> ast.stmt:
        """The statement at the module's top that alone gives ``name`` its meaning.

        Raises:
            UnclearSource: there is none, another may take its place, or what it binds may change.
        """
        if not self._is_opaque and self._bound[name] == 1:
            for statement in self.tree.body:
                is_import = isinstance(statement, ast.Import)
                if name in _names_bound_by(statement) and (
                    is_import or name not in self._uses.exposed
                ):
                    return statement
        raise UnclearSource(f"{self.name}.{name}")

    def origin(self, expression: ast.expr) -> Symbol:
        """What ``expression``, a name or an attribute of an imported module, stands for.

        Raises:
            UnclearSource: it is no class of this module and nothing that is imported.
        """
        if isinstance(expression, ast.Name):
            statement = self.binding(expression.id)
            if isinstance(statement, ast.ClassDef):
                return Symbol(self.name, expression.id)
            if isinstance(statement, ast.ImportFrom):
                relative = "." * statement.level + (statement.module or "")
                names = {alias.asname or alias.name: alias.name for alias in statement.names}
                try:
                    home = importlib.util.resolve_name(relative, self.package)
                except ImportError as error:
                    raise UnclearSource(relative) from error
                return Symbol(home, names[expression.id])
        if isinstance(expression, ast.Attribute) and isinstance(expression.value, ast.Name):
            statement = self.binding(expression.value.id)
            if isinstance(statement, ast.Import):
                names = {alias.asname or alias.name: alias.name for alias in statement.names}
                if expression.value.id in names:
                    return Symbol(names[expression.value.id], expression.attr)
        raise UnclearSource(ast.unparse(expression))

    @cached_property
    def _bound(self) -> Counter[str]:
        return Counter(name for node in ast.walk(self.tree) for name in _names_bound_by(node))

    @cached_property
    def _uses(self) -> NameUses:
        return NameUses(self.tree)

    @cached_property
    def _is_opaque(self) -> bool:
        return "*" in self._bound or self._uses.reaches_all


def read_module(name: str) -> ModuleSyntax:
    """The module called ``name``; neither it nor a package above it is imported.

    Raises:
        UnclearSource: it is not found, or has no source that can be read.
    """
    # Whatever finders and loaders of other projects raise, the import will tell it better.
    try:
        spec = _spec(name)
        if spec is not None and isinstance(spec.loader, InspectLoader):
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(spec.loader.get_source(name) or "")
            return ModuleSyntax(name, spec.parent or "", tree)
    except Exception as error:
        raise UnclearSource(name) from error
    raise UnclearSource(name)


def definition(
    module: ModuleSyntax, expression: ast.expr, known: Container[Symbol]
) -> Symbol | ClassSyntax:
    """The class that ``expression`` stands for in ``module``, through every import on the way.

    Args:
        known: symbols to stop at.

    Returns:
        The definition, or the symbol if it is a known one.

    Raises:
        UnclearSource: a step on the way is not certain.
    """
    for _ in range(_LONGEST_WAY):
        symbol = module.origin(expression)
        if symbol in known:
            return symbol
        if symbol.module == module.name:
            statement = module.binding(symbol.name)
            if isinstance(statement, ast.ClassDef):
                return ClassSyntax(module, statement)
        module, expression = read_module(symbol.module), ast.Name(symbol.name, ast.Load())
    raise UnclearSource(ast.unparse(expression))


def _spec(name: str) -> ModuleSpec | None:
    top, *below = name.split(".")
    spec = importlib.util.find_spec(top)
    for part in below:
        if spec is None:
            return None
        # ``importlib.util.find_spec`` would import the packages above.
        spec = PathFinder.find_spec(f"{spec.name}.{part}", spec.submodule_search_locations or [])
    return spec


def _names_bound_by(node: ast.AST) -> list[str]:
    """The names that ``node`` itself binds, the nodes below it aside."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return [name]
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Import(names=aliases):
            return [alias.asname or alias.name.partition(".")[0] for alias in aliases]
        case ast.ImportFrom(names=aliases):
            return [alias.asname or alias.name for alias in aliases]
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            return [name]
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return [name]
    return []
