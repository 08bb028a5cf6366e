"""Which names of a module are used in a way that could change the classes they stand for.

Read off the syntax tree. Harmless are annotations, bases, decorators, plain attributes that are
read, calls of a class and, inside functions, of its methods; and what a plugin's hook registers.
"""

from __future__ import annotations

import ast

HOOKS = {
    "register_objectives": "objective",
    "register_terms": "term",
    "register_suites": "suite",
}
"""A plugin's functions -> the kind of class that they hand over."""

_REACHES_ALL = frozenset({"delattr", "eval", "exec", "globals", "locals", "setattr", "vars"})


class NameUses(ast.NodeVisitor):
    """How the names of one module are used.

    Attributes:
        exposed: names whose classes may be changed after they are defined.
        reaches_all: some code may change any of them, by name or by a call that none can read.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.exposed: set[str] = set()
        self.reaches_all = False
        self._depth = 0
        self.visit(tree)

    def visit_Name(self, node: ast.Name) -> None:
        """A bare name may go anywhere from here: into a call, under another name."""
        self.reaches_all |= node.id in _REACHES_ALL
        if isinstance(node.ctx, ast.Load):
            self.exposed.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """Reading a plain attribute changes nothing; ``Config`` and dunders are the way in."""
        is_read = isinstance(node.ctx, ast.Load)
        self.reaches_all |= node.attr == "Config" and not is_read
        is_plain = node.attr != "Config" and not node.attr.startswith("__")
        if not (is_read and is_plain and isinstance(node.value, ast.Name)):
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        """A method called while the module is imported may change its class."""
        names = [part.id for part in ast.walk(node.func) if isinstance(part, ast.Name)]
        self.reaches_all |= not _REACHES_ALL.isdisjoint(names)
        if not isinstance(node.func, ast.Name) and not self._depth:
            self.exposed.update(names)
        elif not _is_path(node.func):
            self.visit(node.func)
        for argument in (*node.args, *node.keywords):
            self.visit(argument)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Bases and decorators name classes and hand none on."""
        for part in (*node.bases, *node.decorator_list):
            if not _is_path(part):
                self.visit(part)
        for below in (*node.keywords, *node.body):
            self.visit(below)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Annotations are left out, and what a hook registers."""
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if part is not None and not (part in node.decorator_list and _is_path(part)):
                self.visit(part)
        self._depth += 1
        for statement in node.body:
            if not (node.name in HOOKS and registered(statement)):
                self.visit(statement)
        self._depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """The annotation is left out."""
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)


def registered(statement: ast.stmt) -> ast.expr | None:
    """What a statement of a hook hands over: the class in ``register(Class)``."""
    match statement:
        case ast.Expr(ast.Call(ast.Name("register"), [cls], [])) if _is_path(cls):
            return cls
    return None


def _is_path(node: ast.expr) -> bool:
    """Whether ``node`` is a name, or attributes of one."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)
