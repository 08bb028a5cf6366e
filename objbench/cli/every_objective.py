"""``--objectives all``: every objective there is, and every term added to the baseline."""

from __future__ import annotations

from collections.abc import Sequence

from objbench.contract.composition import JOINT, parts_of
from objbench.errors import ConfigError
from objbench.plugins.registry import Registry

ALL = "all"


def every_objective(named: Sequence[str], registry: Registry) -> tuple[str, ...]:
    """``named`` with ``all`` replaced by all that is not named beside it.

    The baseline is what is named before ``all``, or the one objective that says it is one. After
    it come the other objectives by name, then the baseline with each added term that it lacks.

    Args:
        named: names as on the command line, ``all`` among them.
        registry: every plugin, loaded.

    Raises:
        ConfigError: nothing says which objective is the baseline.
    """
    before = list(named[: named.index(ALL)])
    if not before:
        # Of the class itself: what derives from the baseline is none.
        declared = [
            name for name, cls in registry.objectives.items() if vars(cls).get("is_baseline")
        ]
        if len(declared) != 1:
            raise ConfigError(
                "--objectives all needs a baseline: name it first, as in --objectives NAME,all"
            )
        before = declared
    # A baseline that is composed has some of them already.
    own = parts_of(before[0])
    joined = [f"{before[0]}{JOINT}{term}" for term in registry.terms if term not in own]
    after = named[named.index(ALL) + 1 :]
    return tuple(dict.fromkeys([*before, *registry.objectives, *joined, *after]))
