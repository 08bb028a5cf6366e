"""The hooks of objbench: signatures are the interface, docstrings say when a hook is called.

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
    """Called once, when plugins are loaded: register the plugin's objectives.

    The class's ``name`` must be the name of an entry point of the plugin's project, so that names
    are known before anything is loaded. An exception raised here or by ``register`` marks this
    plugin as broken, with the reason; other plugins still load.

    Args:
        register: takes a subclass of ``Objective``, the class and not an instance; raises
            ``PluginError`` if the class does not meet the contract or its name is taken.
    """


@hookspec
def register_terms(register: Callable[[type[AddedTerm]], None]) -> None:
    """Called once, when plugins are loaded: register terms that can be added to any objective.

    The same rules apply as for ``register_objectives``.

    Args:
        register: takes a subclass of ``AddedTerm``, the class and not an instance.
    """


@hookspec
def register_suites(register: Callable[[type[Suite | CurveSuite]], None]) -> None:
    """Called once, when plugins are loaded: register the plugin's suites.

    The same rules apply as for ``register_objectives``.

    Args:
        register: takes a subclass of ``Suite`` or ``CurveSuite``, the class and not an instance.
    """
