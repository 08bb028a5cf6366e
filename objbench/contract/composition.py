"""Objectives put together by name: ``rtd+tc`` is the objective ``rtd`` with the term ``tc`` added.

The first part is an objective: it has the corruption, and terms of its own. Every further part is
an added term. All of them read one pass of the encoder. Options are those of the parts
(``--set tc.weight=0.5`` holds in every composition, ``--set rtd+tc.tc.weight=0.5`` in this one).

No torch here: the command line reads names by this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from objbench.contract.options import configure
from objbench.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from objbench.contract.encoder_spec import EncoderSpec
    from objbench.contract.objective import AddedTerm, Objective

JOINT = "+"
"""What stands between the parts of a name."""


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a name: ("rtd", "tc") of "rtd+tc", the name itself where it is not composed."""
    return tuple(name.split(JOINT))


def plugins_of(names: Iterable[str]) -> tuple[str, ...]:
    """The plugins that ``names`` are made of, each once, in their order."""
    return tuple(dict.fromkeys(part for name in names for part in parts_of(name)))


@dataclass(frozen=True, slots=True)
class ComposedConfig:
    """The options of a composition.

    Attributes:
        parts: name of a part -> its ``Config``.
    """

    parts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Composition:
    """An objective with terms added; stands wherever an objective's class may stand.

    Attributes:
        base: the objective whose corruption it has.
        added: the terms that join it.
    """

    base: type[Objective]
    added: tuple[type[AddedTerm], ...]

    @property
    def parts(self) -> tuple[type[Any], ...]:
        """The classes it is made of, the objective first."""
        return (self.base, *self.added)

    @property
    def name(self) -> str:
        """As on the command line."""
        return JOINT.join(part.name for part in self.parts)

    @property
    def summary(self) -> str:
        """What the parts say of themselves, in one line."""
        return "; plus ".join(part.summary for part in self.parts)

    @property
    def reference(self) -> str:
        """The parts' papers."""
        return "; ".join(dict.fromkeys(part.reference for part in self.parts))

    def teachers(self, config: ComposedConfig) -> tuple[str, ...]:
        """Whose encoders the objective learns from; a term has no teachers."""
        return self.base.teachers(config.parts[self.base.name])

    def __call__(self, config: ComposedConfig, encoder_spec: EncoderSpec) -> Objective:
        """The objective, built with its terms; the base's heads are initialised first.

        Raises:
            ConfigError: two terms have one name, or a term does not find what it needs.
        """
        objective = self.base(config.parts[self.base.name], encoder_spec)
        for term in self.added:
            if term.name in (other.name for other in objective.terms):
                raise ConfigError(
                    f"{self.name}: {self.base.name} has a term {term.name!r} already; "
                    f"leave {JOINT}{term.name} out"
                )
            joining = term(config.parts[term.name], encoder_spec, objective)
            objective.set_terms(*objective.terms, joining)
        return objective


ObjectiveClass: TypeAlias = "type[Objective] | Composition"
"""What builds an objective when it is called: its class, or a composition."""


def configured(kind: ObjectiveClass, options: Mapping[str, Mapping[str, Any]]) -> Any:
    """The ``Config`` of an objective or of a composition.

    Args:
        options: plugin -> option -> value; of a composition's own name -> part -> option -> value,
            which win over those of the part's own name.

    Raises:
        ConfigError: an option is unknown, or its value does not fit.
    """
    own = options.get(kind.name, {})
    if not isinstance(kind, Composition):
        return configure(kind, own)
    names = [part.name for part in kind.parts]
    for name, table in own.items():
        if name not in names:
            raise UnknownNameError(f"part of {kind.name}", name, names)
        if not isinstance(table, Mapping):
            raise ConfigError(
                f"{kind.name}.{name} = {table!r}: name the option too, {kind.name}.{name}.OPTION"
            )
    return ComposedConfig(
        {
            part.name: configure(part, {**options.get(part.name, {}), **own.get(part.name, {})})
            for part in kind.parts
        }
    )


def recorded_options(config: Any) -> dict[str, Any]:
    """The options of a ``Config`` as a record holds them: of a composition, by PART.OPTION."""
    if not isinstance(config, ComposedConfig):
        return asdict(config)
    return {
        f"{part}.{option}": value
        for part, own in config.parts.items()
        for option, value in asdict(own).items()
    }
