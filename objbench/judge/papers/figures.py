"""Published figures as data: tables and curves copied from a paper, checked when they are read.

A file is JSON::

    source, model      where the numbers are published, and what was trained
    claims             the paper's claims about them, such as "up to 5x speedup"
    average, columns   what the columns of the tables are
    validation, test   tables: "<objective>-<steps>" -> one score per column
    figure...          figures: "note", and objective -> {"<steps>": score}

Scores are in points, larger is better. The objective of the first row is the baseline unless
``baseline`` names it. Files ship in ``leaderboard/figures``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from objbench.errors import ConfigError, one_line
from objbench.judge.papers.claims import faults
from objbench.judge.papers.published_files import FIGURES, named_text

_UNITS = {"": 1, "k": 1_000, "M": 1_000_000}
_ROW = re.compile(r"(?P<objective>\w+(?:-\w+)*?)-(?P<number>\d+(?:\.\d+)?)(?P<unit>[kM]?)")

Points = Annotated[float, Field(allow_inf_nan=False)]
Words = Annotated[str, Field(min_length=1)]


class Printed(BaseModel):
    """A strict, immutable part of a file of published numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Row(Printed):
    """One row of a table: an objective after some steps.

    Attributes:
        name: as in the file, such as "taco-50k".
        scores: one per column, in points.
    """

    name: str
    objective: str
    steps: float
    scores: tuple[Points, ...]

    @property
    def mean(self) -> float:
        """Plain mean of the columns."""
        return sum(self.scores) / len(self.scores)


class Figure(Printed):
    """The curves of one figure.

    Attributes:
        name: such as "figure_5".
        note: how the values were read and what the points are.
        curves: objective -> points of (steps, score), in order of steps.
    """

    name: str
    note: str = ""
    curves: Mapping[str, tuple[tuple[float, Points], ...]]


class PublishedFigure(Printed):
    """Everything one file holds.

    Attributes:
        name: the file's, without ".json".
        baseline: the objective the others are compared with.
        tables: "validation" or "test" -> rows, in the order of the file.
    """

    name: str
    source: Words
    model: str = ""
    claims: tuple[str, ...] = ()
    average: str = ""
    columns: tuple[str, ...] = ()
    baseline: Words
    tables: Mapping[str, tuple[Row, ...]]
    figures: tuple[Figure, ...]

    @model_validator(mode="after")
    def _fits(self) -> PublishedFigure:
        if not self.tables and not self.figures:
            raise ValueError("it has neither a table nor a figure")
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("a column is named twice")
        for table, rows in self.tables.items():
            if not any(row.objective == self.baseline for row in rows):
                raise ValueError(f"{table} has no row of the baseline {self.baseline}")
            for row in rows:
                if not self.columns or len(row.scores) != len(self.columns):
                    raise ValueError(
                        f"{table}.{row.name} has {len(row.scores)} scores for "
                        f"{len(self.columns)} columns"
                    )
        for figure in self.figures:
            if self.baseline not in figure.curves:
                raise ValueError(f"{figure.name} has no curve of the baseline {self.baseline}")
        return self


def read_figure(name_or_path: str) -> PublishedFigure:
    """The published numbers of that name, or in that file where it ends in ".json".

    Raises:
        UnknownNameError: none of that name comes with objbench.
        ConfigError: the file cannot be read or is not of the form; one line names it and why.
    """
    text, name, where = named_text(name_or_path, FIGURES, ".json", "figure")
    return parse_figure(text, name, where)


def parse_figure(text: str, name: str, where: str) -> PublishedFigure:
    """The published numbers written in ``text``; ``where`` names it in errors.

    Raises:
        ConfigError: it is not JSON, or not of the form that the module describes.
    """
    try:
        return PublishedFigure.model_validate_json(json.dumps(_arranged(json.loads(text), name)))
    except json.JSONDecodeError as error:
        raise ConfigError(f"{where} is not JSON: {one_line(error)}") from error
    except ValidationError as error:
        raise ConfigError(f"{where}: {faults(error)}") from error
    except _FormError as error:
        raise ConfigError(f"{where}: {error}") from error


class _FormError(ValueError):
    """A part of the file that is not of the form."""


def _arranged(raw: object, name: str) -> dict[str, Any]:
    """The file's content with its tables and figures put together."""
    if not isinstance(raw, dict):
        raise _FormError("it is not an object with named fields")
    rest = dict(raw)
    tables = {
        table: [_row(table, *item) for item in _named(table, rest.pop(table)).items()]
        for table in ("validation", "test")
        if table in rest
    }
    figures = [
        _figure(key, _named(key, rest.pop(key))) for key in list(rest) if key.startswith("figure")
    ]
    first = next((row["objective"] for rows in tables.values() for row in rows), "")
    return {"baseline": first, **rest, "name": name, "tables": tables, "figures": figures}


def _row(table: str, name: str, scores: object) -> dict[str, Any]:
    match = _ROW.fullmatch(name)
    if match is None:
        raise _FormError(f"{table}.{name} is not named <objective>-<steps>, such as mlm-250k")
    steps = float(match["number"]) * _UNITS[match["unit"]]
    return {"name": name, "objective": match["objective"], "steps": steps, "scores": scores}


def _figure(name: str, parts: dict[str, Any]) -> dict[str, Any]:
    note = parts.pop("note", "")
    curves = {}
    for objective, points in parts.items():
        where = f"{name}.{objective}"
        found = [(_steps(where, steps), score) for steps, score in _named(where, points).items()]
        if not found:
            raise _FormError(f"{where} has no point")
        curves[objective] = sorted(found, key=lambda point: point[0])
    return {"name": name, "note": note, "curves": curves}


def _steps(where: str, text: str) -> float:
    if not re.fullmatch(r"\d+", text) or int(text) == 0:
        raise _FormError(f"{where}: {text!r} is not a number of steps")
    return float(text)


def _named(where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _FormError(f"{where} is not an object with named fields")
    return dict(value)
