"""The study: everything a user can choose, as one strict model read from flags and TOML.

A study is merged from layers, each of which overrides those before it: a preset (a TOML file in
``objbench/study/presets``), a study file (``--config``), and the command line. Every layer is a
partial tree of the same shape. Only the whole is validated; an error names the field and what is
allowed there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, get_args

from pydantic import Field, ValidationError, model_validator

from objbench.contract.meters import Axis
from objbench.errors import ConfigError, UnknownNameError, one_line
from objbench.study.files import Layer, merge, setting_layer
from objbench.study.old_names import with_current_names
from objbench.study.settings import (
    BudgetText,
    DataSection,
    EncoderSection,
    EvaluationSection,
    Looks,
    Names,
    Section,
    Seeds,
    TrainingSection,
)
from objbench.study.tuning import MODEL_TYPE, TUNABLE, Settings, TuningSection


class Study(Section):
    """A complete study.

    Attributes:
        objectives: names, the baseline first.
        seeds: pretraining seeds.
        looks: at which numbers of seeds a verdict will be read, declared before any is run, such as
            5, 10, 20; one look, at the seeds of the first command, where empty.
        budget: what the baseline may spend, such as "100k-steps".
        equalize: the compute axis on which every objective spends as much as the baseline.
        options: plugin name -> option -> value.
        tuning: trials before the seeds are run; None for no tuning.
        overrides: objective -> its own settings, as tuning chose them or its paper gives them.
        preset: the preset that the study started from, for the record.
    """

    objectives: Names
    seeds: Seeds = (0,)
    looks: Looks = ()
    budget: BudgetText
    equalize: Axis = "flops"
    encoder: EncoderSection = EncoderSection()
    data: DataSection = DataSection()
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    tuning: TuningSection | None = None
    overrides: dict[str, Settings] = Field(default_factory=dict)
    preset: str | None = None

    def for_objective(self, objective: str, settings: Mapping[str, Any] | None = None) -> Study:
        """The study with the overrides of ``objective`` applied.

        Args:
            settings: settings that override these in turn, such as those of a trial.

        Raises:
            ConfigError: a setting is unknown or out of range.
        """
        own = {**self.overrides.get(objective, {}), **(settings or {})}
        if not own:
            return self
        layers = [
            self.model_dump(exclude={"overrides", "tuning"}),
            *(setting_layer(place, value) for place, value in own.items()),
        ]
        return build_study(layers, f"settings of {objective}")

    @model_validator(mode="before")
    @classmethod
    def _current_names(cls, value: Any) -> Any:
        return with_current_names(value) if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _one_checkpoint(self) -> Study:
        if self.encoder.init is None:
            return self
        tuned = [] if self.tuning is None else [self.tuning.grid, *self.tuning.objectives.values()]
        for place in (place for own in (*self.overrides.values(), *tuned) for place in own):
            if place.startswith("encoder."):
                raise ValueError(f"{place!r} cannot be chosen: encoder.init sets the encoder")
        return self

    @model_validator(mode="after")
    def _tuned_alike(self) -> Study:
        for name in self.overrides:
            if name not in self.objectives:
                raise ValueError(
                    f"overrides names {name!r}, which is not an objective of the study"
                )
            for place in self.overrides[name]:
                if place != MODEL_TYPE and not place.startswith(TUNABLE):
                    raise ValueError(f"{place!r} cannot be overridden for {name}")
        if self.tuning is None:
            return self
        for seed in self.tuning.seeds:
            if seed in self.seeds:
                raise ValueError(f"tuning seed {seed} is one of the study's seeds: name another")
        for name in self.tuning.objectives:
            if name not in self.objectives:
                raise ValueError(f"tuning names {name!r}, which is not an objective of the study")
        for name in self.objectives:
            for place in self.tuning.foreign_options(name):
                raise ValueError(
                    f"the tuning grid of {name} has {place}, which is no option of {name}: give "
                    "each objective a grid of its own with [tuning.objectives.NAME]"
                )
        counts = {
            name: prod(len(v) for v in self.tuning.objectives.get(name, self.tuning.grid).values())
            for name in self.objectives
        }
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise ValueError(f"every objective must get the same number of trials, not {listed}")
        return self


def build_study(layers: Sequence[Layer], source: str) -> Study:
    """The study made of ``layers``, lowest first.

    Args:
        source: what to name in an error, such as "the command line" or a file.

    Raises:
        ConfigError: a field is unknown, missing or out of range; one line names all such fields.
    """
    whole: Layer = {}
    for layer in layers:
        # Layer by layer: the later one wins whatever name it uses.
        whole = merge(whole, with_current_names(layer))
    try:
        return Study.model_validate(whole)
    except ValidationError as error:
        # What is wrong with an item of a list also makes the list too short.
        places = [item["loc"] for item in error.errors()]
        of_items = {place[:-1] for place in places if place and isinstance(place[-1], int)}
        faults = "; ".join(_fault(item) for item in error.errors() if item["loc"] not in of_items)
        raise ConfigError(f"{source}: {faults}") from error


_AS_IN_TOML = re.compile(r"a valid tuple|a valid dictionary( or instance of \w+)?")


def _fault(item: Any) -> str:
    # What is wrong with a name in a table is reported of its value's place, followed by "[key]".
    *_, last = item["loc"] or ("",)
    where = ".".join(str(part) for part in item["loc"] if part != "[key]")
    if last == "[key]":
        return f"{where}: {one_line(item['msg'])}"
    if item["type"] == "extra_forbidden":
        return f"{where}: {_unknown_field(item['loc'])}"
    if item["type"] == "missing":
        return f"{where} is missing"
    reason = one_line(item["msg"]).removeprefix("Value error, ")
    reason = _AS_IN_TOML.sub(lambda kind: "a list" if "tuple" in kind[0] else "a table", reason)
    if isinstance(item["input"], Mapping):
        # A whole section, or the study: the message names the settings that do not fit together.
        return f"{where}: {reason}" if where else reason
    return f"{where} = {item['input']!r}: {reason}"


def _unknown_field(location: tuple[Any, ...]) -> str:
    model: Any = Study
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        hint = field.annotation if field else None
        # A section that may be left out is ``Section | None``.
        model = next((kind for kind in (*get_args(hint), hint) if kind is not None), None)
    known = getattr(model, "model_fields", {})
    return str(UnknownNameError("setting", str(location[-1]), known))
