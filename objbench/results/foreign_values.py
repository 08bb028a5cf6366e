"""What a value in a stored file may be: plans and records may have been sent by anyone.

Everything that is read passes these types, so that no name leads out of its folder, no number is
read from text or is not finite, and no bound is left to the arithmetic that comes later. Text that
is only shown is kept as it is; the renderers of the page escape it for their formats.
"""

from __future__ import annotations

import math
import sys
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from objbench.contract.suite import Column, CurveValue, Direction
from objbench.results.json_files import Stored

# Of a file's name without "/": words of any script, and what ids, options and versions are made of.
_LONGEST = 100_000
_PART = r"[^\W_][\w.+=@,:() -]*"

Name = Annotated[str, Field(pattern=rf"^{_PART}$", max_length=200)]
"""A name that may become a part of a file's name."""

NameOrNone = Annotated[str, Field(pattern=rf"^({_PART})?$", max_length=200)]
"""The same, or "" where nothing is meant."""

Key = Annotated[str, Field(pattern=r"^[0-9a-f]+$", max_length=64)]
"""A content-addressed key or a digest, in hex."""

KeyOrNone = Annotated[str, Field(pattern=r"^[0-9a-f]*$", max_length=64)]
"""The same, or "" where there is none."""

Label = Annotated[str, Field(pattern=r"^[^\p{C}\p{Zl}\p{Zp}]*$", max_length=200)]
"""A short name that is only shown, such as a column's."""

Base64 = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*={0,2}$", max_length=_LONGEST)]
"""Bytes in base64; whether they are is checked where they are decoded."""

Text = Annotated[str, Field(max_length=_LONGEST)]
"""Text that is only shown."""

Time = Annotated[str, Field(pattern=r"^[0-9T:.+-]{0,40}Z?$")]
"""A time by ISO 8601; "" where it is not known."""

Count = Annotated[int, Field(strict=True, ge=0, le=10**18)]
"""A number of things."""

Steps = Annotated[int, Field(strict=True, ge=0, le=10**12)]
"""A number of optimizer steps."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e40, le=1e40)]
"""A finite number, whose square and sums are finite too."""

Spend = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1e40)]
"""FLOPs, seconds or another amount that was spent."""

Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=1e40)]
"""An amount that something else is divided by."""

Share = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]
"""A share of the budget."""

# How deep values without a schema may be nested: settings and details of suites.
_DEEPEST = 20
_LARGEST = sys.float_info.max


Inside = Annotated[str, Field(pattern=rf"^{_PART}(/{_PART})*$", max_length=1000)]
"""A path relative to a folder that, by its text, stays inside it; links are looked at when opened."""


def _plain(value: Any, depth: int = 1) -> Any:
    if depth > _DEEPEST:
        raise ValueError(f"nested deeper than {_DEEPEST}")
    for inner in value.values() if isinstance(value, dict) else value:
        kind = type(inner)
        if kind is float and not -_LARGEST <= inner <= _LARGEST:
            raise ValueError("a number that is not finite")
        if kind is int and not -_LARGEST <= inner <= _LARGEST:
            raise ValueError("a number that is too large")
        if kind is str:
            if len(inner) > _LONGEST:
                raise ValueError(f"text of more than {_LONGEST} characters")
            if not inner.isascii():
                inner.encode()  # half a surrogate pair is no text: a ValueError
        if kind in (dict, list, tuple):
            _plain(inner, depth + 1)
    return value


Fields = Annotated[dict[str, Any], AfterValidator(_plain)]
"""A mapping without a schema of its own, such as options and details."""


class _Column(Stored):
    name: Label
    task: NameOrNone
    metrics: tuple[Label, ...]
    direction: Direction = "max"
    scale: Number = 100.0


class _CurveValue(Stored):
    value: Number | None
    note: Text = ""


def _like(model: type[Stored]) -> BeforeValidator:
    """The contract's own classes know no pydantic, which would read a number from text."""

    def check(value: Any) -> Any:
        is_own = isinstance(value, Column | CurveValue)
        model.model_validate(asdict(value) if is_own else value)
        return value

    return BeforeValidator(check)


StoredColumn = Annotated[Column, _like(_Column)]
StoredCurveValue = Annotated[CurveValue, _like(_CurveValue)]

# Raw metrics that have a range by their definition; of others nothing is known.
RANGES = {
    "accuracy": (0.0, 1.0),
    "f1": (0.0, 1.0),
    "matthews_correlation": (-1.0, 1.0),
    "pearson": (-1.0, 1.0),
    "spearmanr": (-1.0, 1.0),
}


def _possible(scores: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    for column, metrics in scores.items():
        for metric, value in metrics.items():
            low, high = RANGES.get(metric, (-math.inf, math.inf))
            # Rounding may leave a correlation of 1 a little above it.
            if not low - 1e-6 <= value <= high + 1e-6:
                raise ValueError(
                    f"{column} {metric} of {value:g} is not within {low:g} to {high:g}"
                )
    return scores


Scores = Annotated[dict[Label, dict[Label, Number]], AfterValidator(_possible)]
"""Column -> metric -> value, unscaled."""
