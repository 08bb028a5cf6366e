"""Which objectives learn from which: teachers are pretrained first, with the same seed.

An objective names its teachers by its options (``Objective.teachers``); they are objectives of the
same study, so each has a budget and a row of its own. The cost of its teachers is not part of an
objective's budget, which the leaderboard says beside its numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from objbench.contract.composition import recorded_options
from objbench.errors import ConfigError
from objbench.runs.planning.configured_plugins import ConfiguredPlugins

Teachers = Mapping[str, tuple[str, ...]]
"""Objective -> the objectives it learns from; every objective of a study, in its order."""


def teachers_of(plugins: ConfiguredPlugins) -> Teachers:
    """The teachers of the study's objectives as they are configured."""
    return {
        name: tuple(kind.teachers(config)) for name, (kind, config) in plugins.objectives.items()
    }


def training_order(plugins: ConfiguredPlugins) -> tuple[str, ...]:
    """The study's objectives with teachers before the objectives that learn from them.

    Raises:
        ConfigError: as ``generations``.
    """
    return tuple(name for names in generations(plugins, teachers_of(plugins)) for name in names)


def generations(plugins: ConfiguredPlugins, teachers: Teachers) -> tuple[tuple[str, ...], ...]:
    """The objectives in groups: each learns only from members of earlier groups.

    Within a group the study's order is kept, so a study without teachers is one group.

    Raises:
        ConfigError: a teacher is not in the study, the baseline has one, or two learn from each
            other.
    """
    baseline = next(iter(teachers))
    if teachers[baseline]:
        others = _listed(name for name in teachers if not teachers[name])
        raise ConfigError(
            f"{baseline} learns from {_listed(teachers[baseline])}, whose cost is "
            "not counted in its budget, so it cannot be the baseline: name "
            f"{others or 'one without a teacher'} first"
        )
    for name, wanted in teachers.items():
        for teacher in wanted:
            if teacher not in teachers:
                raise ConfigError(
                    f"{name} learns from {teacher}: add {teacher} to --objectives, or "
                    f"{_another(plugins, name, teacher)}"
                )
    groups: list[tuple[str, ...]] = []
    left = list(teachers)
    while left:
        ready = tuple(name for name in left if not set(teachers[name]) & set(left))
        if not ready:
            name, teacher = next((n, t) for n in left for t in teachers[n] if t in left)
            whom = "itself" if name == teacher else f"{teacher}, which in turn learns from it"
            raise ConfigError(f"{name} learns from {whom}: {_another(plugins, name, teacher)}")
        groups.append(ready)
        left = [name for name in left if name not in ready]
    return tuple(groups)


def _another(plugins: ConfiguredPlugins, name: str, teacher: str) -> str:
    """How to name another teacher: by the option that names it, if there is one."""
    options: dict[str, Any] = recorded_options(plugins.objectives[name][1])
    naming = [option for option, value in options.items() if value == teacher]
    where = f"with --set {name}.{naming[0]}=..." if len(naming) == 1 else "by its options"
    return f"name another teacher {where}"


def _listed(names: Iterable[str]) -> str:
    return " or ".join(names)
