"""A plugin's kind and options read from its source, so that a slip is told before torch is there.

An early check and an additional one: it says only what importing the plugin would say too, in the
same words, and nothing where the source does not tell for certain. That is the case for whatever
is not written plainly: a hook that does more than ``register(Class)``, a class with two bases or a
decorator, a ``Config`` that is not a nested dataclass of annotated fields.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

from objbench.contract.composition import parts_of
from objbench.contract.options import checked
from objbench.errors import WrongKindError
from objbench.plugins.registry import plugin_entry_points
from objbench.plugins.source_reading.module_syntax import (
    ClassSyntax,
    ModuleSyntax,
    Symbol,
    UnclearSource,
    definition,
    read_module,
)
from objbench.plugins.source_reading.name_uses import HOOKS, registered

# The classes that every plugin derives from, by the names they may be imported by; none has options.
_ROOTS = {
    Symbol(module, name): kind
    for kind, home, names in (
        ("objective", "objbench.contract.objective", ("Objective",)),
        ("term", "objbench.contract.objective", ("AddedTerm",)),
        ("suite", "objbench.contract.suite", ("Suite", "CurveSuite")),
    )
    for module in ("objbench", home)
    for name in names
}
_HOOKIMPL = frozenset(
    {Symbol("objbench", "hookimpl"), Symbol("objbench.contract.hooks", "hookimpl")}
)
_DATACLASS = frozenset({Symbol("dataclasses", "dataclass")})
_PLAIN_TYPES = {"bool": bool, "float": float, "int": int, "str": str}
_NOT_A_FIELD = frozenset({"ClassVar", "InitVar", "KW_ONLY"})
_REWRITES = frozenset({"__annotations__", "__dataclass_fields__", "__init_subclass__"})
_LONGEST_LINEAGE = 16


@dataclass(frozen=True, slots=True)
class StaticPlugin:
    """What a plugin's source tells.

    Attributes:
        kind: "objective", "term" or "suite".
        options: option -> type, ``Any`` for one that is not plain; None where it is not certain
            which options there are.
    """

    kind: str
    options: Mapping[str, Any] | None


def check_plugins(
    objectives: Iterable[str],
    suites: Iterable[str],
    options: Mapping[str, Mapping[str, Any]],
    entry_points: Iterable[EntryPoint] | None = None,
) -> None:
    """Check the plugins of a study and their options as far as the source tells.

    Args:
        objectives: names, composed or plain.
        options: plugin -> option -> value; of a composition part -> option -> value.
        entry_points: look among these instead of the installed ones.

    Raises:
        WrongKindError: a plugin is not of the kind it is named as.
        ConfigError: an option is unknown, or its value does not fit.
    """
    entries = plugin_entry_points(entry_points)
    for kind, name, given in [
        *_named_parts(objectives, options),
        *_plain("suite", suites, options),
    ]:
        candidates = [entry for entry in entries if entry.name == name]
        # Of several only loading tells which one holds the name.
        plugin = static_plugin(candidates[0]) if len(candidates) == 1 else None
        if plugin is None:
            continue
        if plugin.kind != kind:
            raise WrongKindError(name, kind, plugin.kind)
        if plugin.options is not None:
            checked(name, given, plugin.options)


_Named = tuple[str, str, Mapping[str, Any]]


def _plain(
    kind: str, names: Iterable[str], options: Mapping[str, Mapping[str, Any]]
) -> Iterator[_Named]:
    for name in names:
        yield kind, name, options.get(name, {})


def _named_parts(
    objectives: Iterable[str], options: Mapping[str, Mapping[str, Any]]
) -> Iterator[_Named]:
    """(kind, plugin, options) of every part of every objective, a composition's own included."""
    for name in objectives:
        first, *rest = parts_of(name)
        yield from _plain("objective", [first], options)
        yield from _plain("term", rest, options)
        for kind, part in [("objective", first), *(("term", part) for part in rest)]:
            own = options.get(name, {}).get(part) if rest else None
            if isinstance(own, Mapping):
                yield kind, part, own


def static_plugin(entry: EntryPoint) -> StaticPlugin | None:
    """What the source of the plugin behind ``entry`` tells; None where that is not certain."""
    try:
        module = read_module(entry.module)
        if entry.attr or (declared := _named(module, entry.name)) is None:
            return None
        kind, lineage = declared
    except (UnclearSource, RecursionError):
        return None
    try:
        return StaticPlugin(kind, _options(lineage))
    except (UnclearSource, RecursionError):
        return StaticPlugin(kind, None)


def _named(module: ModuleSyntax, name: str) -> tuple[str, list[ClassSyntax]] | None:
    """The kind and lineage of the class that a plugin's module registers under ``name``."""
    # All hooks are read before one is believed: another could change what it hands over.
    registered = [(kind, cls) for hook, kind in HOOKS.items() for cls in _registered(module, hook)]
    for kind, cls in registered:
        lineage, root_kind = _lineage(cls)
        if root_kind == kind and _name(lineage) == name:
            return kind, lineage
    return None


def _registered(module: ModuleSyntax, hook: str) -> Iterator[ClassSyntax]:
    """The classes that the function ``hook`` hands over; none where the module lacks it."""
    if not module.binds(hook):
        return
    function = module.binding(hook)
    if not isinstance(function, ast.FunctionDef) or len(function.decorator_list) != 1:
        raise UnclearSource(hook)
    _require(module, function.decorator_list[0], _HOOKIMPL)
    for statement in function.body:
        cls = registered(statement)
        if cls is not None:
            found = definition(module, cls, _ROOTS)
            if isinstance(found, ClassSyntax):
                yield found
        elif not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            raise UnclearSource(hook)


def _require(module: ModuleSyntax, expression: ast.expr, symbols: frozenset[Symbol]) -> None:
    if definition(module, expression, symbols) not in symbols:
        raise UnclearSource(ast.unparse(expression))


def _lineage(found: ClassSyntax) -> tuple[list[ClassSyntax], str]:
    """A plugin's class and those it derives from, the root left out, and the kind of the root."""
    lineage: list[ClassSyntax] = []
    current: ClassSyntax | Symbol = found
    while isinstance(current, ClassSyntax) and len(lineage) < _LONGEST_LINEAGE:
        module, node = current
        if len(node.bases) != 1 or node.decorator_list or node.keywords:
            raise UnclearSource(node.name)
        _members(node)
        lineage.append(current)
        current = definition(module, node.bases[0], _ROOTS)
    if isinstance(current, Symbol):
        return lineage, _ROOTS[current]
    raise UnclearSource(found.node.name)


def _declared(lineage: list[ClassSyntax], member: str) -> tuple[ModuleSyntax, ast.stmt] | None:
    """The one statement by which a class, or the first it derives from, gives ``member``."""
    for module, node in lineage:
        if member in (own := _members(node)):
            if len(own[member]) != 1:
                raise UnclearSource(member)
            return module, own[member][0]
    return None


def _name(lineage: list[ClassSyntax]) -> str:
    match _declared(lineage, "name"):
        case _, ast.Assign(targets=[ast.Name()], value=ast.Constant(str(name))):
            return name
        case _, ast.AnnAssign(value=ast.Constant(str(name))):
            return name
    raise UnclearSource("name")


def _options(lineage: list[ClassSyntax]) -> Mapping[str, Any]:
    """The fields of the ``Config`` that a plugin's class declares or inherits."""
    match _declared(lineage, "Config"):
        case None:
            return {}
        case module, ast.ClassDef() as config:
            return _fields(ClassSyntax(module, config))
    raise UnclearSource("Config")


def _fields(config: ClassSyntax) -> Mapping[str, Any]:
    """The options of a ``Config``, inherited ones included, each with its type."""
    module, node = config
    if node.keywords or len(node.decorator_list) != 1:
        raise UnclearSource(node.name)
    decorator = node.decorator_list[0]
    made_by = decorator.func if isinstance(decorator, ast.Call) else decorator
    _require(module, made_by, _DATACLASS)
    fields = _inherited_fields(module, node.bases)
    for name, statements in _members(node).items():
        for statement in statements:
            if isinstance(statement, ast.AnnAssign):
                fields[name] = _type(module, statement)
    return fields


def _inherited_fields(module: ModuleSyntax, bases: list[ast.expr]) -> dict[str, Any]:
    match bases:
        case []:
            return {}
        case [ast.Attribute(owner, "Config")]:
            found = definition(module, owner, _ROOTS)
            return {} if isinstance(found, Symbol) else dict(_options(_lineage(found)[0]))
        case [base]:
            found = definition(module, base, ())
            if isinstance(found, ClassSyntax):
                return dict(_fields(found))
    raise UnclearSource(module.name)


def _type(module: ModuleSyntax, field: ast.AnnAssign) -> Any:
    """The type of an option where it is a plain one, or None beside it; ``Any`` of the others."""
    words = {getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(field.annotation)}
    settings = field.value.keywords if isinstance(field.value, ast.Call) else []
    if words & _NOT_A_FIELD or any(setting.arg in (None, "init") for setting in settings):
        raise UnclearSource(ast.unparse(field))
    match field.annotation:
        case ast.Name(word) if word in _PLAIN_TYPES and not module.binds(word):
            return _PLAIN_TYPES[word]
        case ast.BinOp(ast.Name(word), ast.BitOr(), ast.Constant(None)) if (
            word in _PLAIN_TYPES and not module.binds(word)
        ):
            return _PLAIN_TYPES[word] | None
    return Any


def _members(cls: ast.ClassDef) -> Mapping[str, list[ast.stmt]]:
    """What the body of a class binds: name -> the statements that do."""
    members: dict[str, list[ast.stmt]] = {}
    for statement in cls.body:
        match statement:
            case ast.Pass() | ast.Expr(ast.Constant()):
                continue
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) | ast.ClassDef(name):
                names = {name}
            case ast.Assign(targets=[ast.Name()]) | ast.AnnAssign(target=ast.Name()):
                stored = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
                names = {node.id for node in stored if isinstance(node.ctx, ast.Store)}
            case _:
                raise UnclearSource(ast.unparse(statement))
        for name in names:
            members.setdefault(name, []).append(statement)
    if not _REWRITES.isdisjoint(members):
        raise UnclearSource(cls.name)
    return members
