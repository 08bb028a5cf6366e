"""Objectives composed by name: ``rtd+tc`` is the objective ``rtd`` with the term ``tc`` added.

The first part is an objective, with its corruption and its own terms. Every further part is an
added term. All terms read the same pass of the encoder. Options are those of the parts:
``--set tc.weight=0.5`` applies in every composition, ``--set rtd+tc.tc.weight=0.5`` in this one.

A label after "@" is a further name for the same parts, so that a study can compare an objective with
itself under other options: ``--objectives mlm,mlm@40 --set mlm@40.mlm.rate=0.4``.

No torch is imported here, because the command line uses this module to check names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from objbench.contract.options import configure
from objbench.errors import ConfigError, UnknownNameError

if TYPE_CHECKING:
    from objbench.contract.encoder_spec import EncoderSpec
    from objbench.contract.objective import AddedTerm, Objective

JOINT = "+"
"""Separator of the parts of a name."""

LABEL = "@"
"""What a label begins with."""


def parts_of(name: str) -> tuple[str, ...]:
    """The parts of a name: ("rtd", "tc") of "rtd+tc@warm"; a plain name is its only part."""
    return tuple(unlabelled(name).split(JOINT))


def unlabelled(name: str) -> str:
    """A name without its label: "mlm" of "mlm@40"."""
    return name.partition(LABEL)[0]


def is_composed(name: str) -> bool:
    """Whether options under ``name`` are those of its parts: it has several, or a label."""
    return JOINT in name or LABEL in name


def distinct_parts(name: str) -> tuple[str, ...]:
    """The parts of the name of an objective that is to be built.

    Raises:
        ConfigError: a term is named twice, or the label is none.
    """
    first, *terms = parts_of(name)
    label = name.removeprefix(unlabelled(name))
    if label and not re.fullmatch(r"@[A-Za-z0-9][A-Za-z0-9_-]*", label):
        raise ConfigError(
            f"objective {name!r}: a label is @ and letters, digits, - and _, as in {first}@a-1"
        )
    if len(set(terms)) < len(terms):
        raise ConfigError(f"objective {name!r} names a term twice; leave one of the two out")
    return first, *terms


def plugins_of(names: Iterable[str]) -> tuple[str, ...]:
    """The plugins that ``names`` are composed of, each once, in order."""
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
    """An objective with added terms; can be used wherever the class of an objective can.

    Attributes:
        base: the objective that does the corruption.
        added: the terms added to it.
        label: what tells it from others of the same parts; "" where nothing does.
    """

    base: type[Objective]
    added: tuple[type[AddedTerm], ...]
    label: str = ""

    @property
    def parts(self) -> tuple[type[Any], ...]:
        """The classes of the parts, the objective first."""
        return (self.base, *self.added)

    @property
    def name(self) -> str:
        """As on the command line."""
        joined = JOINT.join(part.name for part in self.parts)
        return f"{joined}{LABEL}{self.label}" if self.label else joined

    @property
    def summary(self) -> str:
        """The summaries of the parts, in one line."""
        return "; plus ".join(part.summary for part in self.parts)

    @property
    def reference(self) -> str:
        """The parts' papers."""
        return "; ".join(dict.fromkeys(part.reference for part in self.parts))

    @property
    def across_sequences(self) -> str:
        """Why losses depend on other sequences of the batch; "" if none does."""
        return "; ".join(filter(None, dict.fromkeys(p.across_sequences for p in self.parts)))

    def teachers(self, config: ComposedConfig) -> tuple[str, ...]:
        """The teachers of the objective; added terms have none."""
        return self.base.teachers(config.parts[self.base.name])

    def __call__(self, config: ComposedConfig, encoder_spec: EncoderSpec) -> Objective:
        """The objective, built with its terms; the base's heads are initialised first.

        Raises:
            ConfigError: two terms have the same name, or a term lacks something it needs.
        """
        objective = self.base(config.parts[self.base.name], encoder_spec)
        for term in self.added:
            if term.name in (other.name for other in objective.terms):
                raise ConfigError(
                    f"{self.name}: {self.base.name} already has a term {term.name!r}; "
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
        options: plugin -> option -> value; name of a composition -> part -> option -> value,
            which override those under the name of the part.

    Raises:
        ConfigError: an option is unknown, or its value does not fit.
    """
    own = options.get(kind.name, {})
    if not isinstance(kind, Composition):
        return configure(kind, own)
    names = [part.name for part in kind.parts]
    for name, table in own.items():
        if name not in names:
            raise UnknownNameError("part", name, names, where=f"of {kind.name}")
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
    """The options of a ``Config`` as stored in a record; PART.OPTION for a composition."""
    if not isinstance(config, ComposedConfig):
        return asdict(config)
    return {
        f"{part}.{option}": value
        for part, own in config.parts.items()
        for option, value in asdict(own).items()
    }
