"""Every hook of objbench: the signature is the interface, the docstring says when it is called.

A plugin is a module with one or more of these functions, marked with ``objbench.hookimpl`` and
named by an entry point of the group ``objbench``::

    from objbench import hookimpl

    @hookimpl
    def register_objectives(register):
        register(MyObjective)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from objbench.contract.objective import AddedTerm, Objective
    from objbench.contract.suite import CurveSuite, Suite

hookspec = pluggy.HookspecMarker("objbench")
hookimpl = pluggy.HookimplMarker("objbench")


@hookspec
def register_objectives(register: Callable[[type[Objective]], None]) -> None:
    """Called once, when plugins are loaded: hand over the plugin's objectives.

    The class's ``name`` must be an entry-point name of the plugin's own project, so that names
    are known before anything is loaded. Whatever is raised here or by ``register`` marks this
    plugin as broken, with the reason; the others load all the same.

    Args:
        register: takes a subclass of ``Objective``, the class and not an instance; raises
            ``PluginError`` for a class that does not meet the contract or a name that is taken.
    """


@hookspec
def register_terms(register: Callable[[type[AddedTerm]], None]) -> None:
    """Called once, when plugins are loaded: hand over terms that can join any objective.

    The rules are those of ``register_objectives``.

    Args:
        register: takes a subclass of ``AddedTerm``, the class and not an instance.
    """


@hookspec
def register_suites(register: Callable[[type[Suite | CurveSuite]], None]) -> None:
    """Called once, when plugins are loaded: hand over the plugin's suites.

    The rules are those of ``register_objectives``.

    Args:
        register: takes a subclass of ``Suite`` or ``CurveSuite``, the class and not an instance.
    """
