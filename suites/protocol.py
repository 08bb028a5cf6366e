"""The protocol: how a suite fine-tunes and what it averages, as a data file.

Whether "GLUE score" means nine columns or eight tasks, F1 or accuracy, changes it more than most
objectives do, so none of it is code. A protocol is a TOML file in ``suites/protocols`` or
anywhere else, checked in full when it is read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from objbench.engine.evaluation.recipe import Recipe
from objbench.errors import ConfigError, UnknownNameError, one_line


class AverageRule(BaseModel):
    """Which columns enter the suite's one score.

    Attributes:
        label: its name if no column is missing, such as "mean of eight tasks".
        of: what one group is, for the label of an average that lacks some.
        groups: a group of columns is averaged before it enters the mean.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str = Field(min_length=1)
    of: Literal["tasks", "columns"]
    groups: tuple[tuple[str, ...], ...] = Field(min_length=1)

    @field_validator("groups")
    @classmethod
    def _once(cls, groups: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        columns = [column for group in groups for column in group]
        if len(set(columns)) != len(columns) or not all(groups):
            raise ValueError("a group is empty or a column is named twice")
        return groups


class Protocol(BaseModel):
    """How the tasks of a suite are fine-tuned, scored and averaged.

    Attributes:
        name: of the file.
        suite: the suite it is written for.
        summary: one line on its source.
        seeds: fine-tuning seeds, declared before any run.
        recipe: how to fine-tune, the same for every task and encoder.
        columns: printed column -> metrics whose mean it shows.
        average: the suite's one score.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    suite: str
    summary: str = Field(min_length=1)
    seeds: tuple[int, ...] = Field(min_length=1)
    recipe: Recipe
    columns: Mapping[str, tuple[str, ...]]
    average: AverageRule

    @field_validator("seeds")
    @classmethod
    def _different(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds):
            raise ValueError("lists a seed twice")
        return seeds

    @model_validator(mode="after")
    def _columns_exist(self) -> Protocol:
        bare = sorted(name for name, metrics in self.columns.items() if not metrics)
        if bare:
            raise ValueError(f"column {bare[0]} has no metric")
        for name in (name for group in self.average.groups for name in group):
            if name not in self.columns:
                raise ValueError(f"the average names column {name}, which columns lacks")
        return self

    def seeds_of(self, count: int) -> tuple[int, ...]:
        """The first ``count`` seeds, continued after the largest one declared; all if it is 0."""
        if count == 0:
            return self.seeds
        last = max(self.seeds)
        more = range(last + 1, last + 1 + max(0, count - len(self.seeds)))
        return (*self.seeds, *more)[:count]


def protocols(suite: str) -> tuple[str, ...]:
    """Names of the protocols bundled for a suite."""
    folder = resources.files("objbench_suites").joinpath("protocols")
    texts = {f.name: f.read_text("utf-8") for f in folder.iterdir() if f.name.endswith(".toml")}
    found = (
        n.removesuffix(".toml") for n, t in texts.items() if tomllib.loads(t)["suite"] == suite
    )
    return tuple(sorted(found))


def load_protocol(name: str, suite: str) -> Protocol:
    """The protocol called ``name``, or the one in the file ``name`` if that ends in ".toml".

    Raises:
        UnknownNameError: no protocol of that name is bundled for this suite.
        ConfigError: the file cannot be read, is malformed, or is another suite's.
    """
    if name.endswith(".toml"):
        path = Path(name).expanduser()
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"protocol file {path} cannot be read ({one_line(error)}): name a TOML file, "
                f"or one of {', '.join(protocols(suite))}"
            ) from error
        return parse_protocol(text, path.stem, suite, str(path))
    if name not in protocols(suite):
        raise UnknownNameError(
            f"protocol of {suite}", name, protocols(suite), "; or name a file ending in .toml"
        )
    file = resources.files("objbench_suites").joinpath("protocols", f"{name}.toml")
    return parse_protocol(file.read_text("utf-8"), name, suite, f"protocol {name}")


def parse_protocol(text: str, name: str, suite: str, where: str) -> Protocol:
    """The protocol written in ``text``; ``where`` names it in errors.

    Raises:
        ConfigError: the text is not a complete protocol of this suite.
    """
    try:
        protocol = Protocol.model_validate({**tomllib.loads(text), "name": name})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not TOML: {one_line(error)}") from error
    except ValidationError as error:
        raise ConfigError(f"{where}: {faults(error)}") from error
    if protocol.suite != suite:
        raise ConfigError(
            f"{where} is for the suite {protocol.suite}, not {suite}: "
            f"choose one of {', '.join(protocols(suite))}"
        )
    return protocol


def overridden(recipe: Recipe, options: Mapping[str, Any], where: str) -> Recipe:
    """``recipe`` with its numbers replaced by those in ``options``.

    Raises:
        ConfigError: a number is out of range.
    """
    try:
        return Recipe.model_validate({**recipe.model_dump(), **options})
    except ValidationError as error:
        raise ConfigError(f"options of {where}: {faults(error)}") from error


def faults(error: ValidationError) -> str:
    """What is wrong with a model, in one line: each field and what it may be."""
    parts = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"]) or "the file"
        shown = "" if isinstance(item["input"], Mapping) else f" = {item['input']!r}"
        message = one_line(item["msg"]).removeprefix("Value error, ")
        parts.append(f"{field}{shown}: {message}")
    return "; ".join(parts)
