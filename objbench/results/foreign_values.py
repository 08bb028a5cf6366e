"""What a value in a stored file may be: plans and records may have been sent by anyone.

Everything that is read passes these types, so that no name leads out of its folder, no number is
read from text or is not finite, and no bound is left to the arithmetic that comes later. Text that
is only shown is kept as it is; the renderers of the page escape it for their formats.
"""

from __future__ import annotations

import math
import sys
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from objbench.contract.suite import Column, CurveValue

# Of a file's name without "/": words of any script, and what ids, options and versions are made of.
_NAME = r"^[^\W_][\w.+=@,:() -]*$"

Name = Annotated[str, Field(pattern=_NAME, max_length=200)]
"""A name that may become a part of a file's name."""

NameOrNone = Annotated[str, Field(pattern=rf"{_NAME}|^$", max_length=200)]
"""The same, or "" where nothing is meant."""

Key = Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]
"""A content-addressed key, in hex."""

Count = Annotated[int, Field(strict=True, ge=0, le=10**18)]
"""A number of things."""

Steps = Annotated[int, Field(strict=True, ge=0, le=10**12)]
"""A number of optimizer steps."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A finite number."""

Spend = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1e40)]
"""FLOPs, seconds or another amount that was spent."""

Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0, le=1e40)]
"""An amount that something else is divided by."""

Share = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0, le=1)]
"""A share of the budget."""

# How deep values without a schema may be nested: settings and details of suites.
_DEEPEST = 20
_LARGEST = sys.float_info.max


def _inside(path: str) -> str:
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or not path.isprintable() or {"", ".", ".."} & {*parts}:
        raise ValueError("leads outside the run folder")
    return path


Inside = Annotated[str, AfterValidator(_inside)]
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
        if kind is str and not inner.isascii():
            inner.encode()  # half a surrogate pair is no text: a ValueError
        if kind in (dict, list, tuple):
            _plain(inner, depth + 1)
    return value


Fields = Annotated[dict[str, Any], AfterValidator(_plain)]
"""A mapping without a schema of its own, such as options and details."""


def _with_a_number(name: str) -> BeforeValidator:
    """The contract's own classes know no pydantic, which would read a number from text."""

    def check(value: Any) -> Any:
        number = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
        if number is not None and (
            isinstance(number, bool)
            or not isinstance(number, int | float)
            or not abs(number) <= 1e300
        ):
            raise ValueError(f"{name} is no finite number")
        return value

    return BeforeValidator(check)


StoredColumn = Annotated[Column, _with_a_number("scale")]
StoredCurveValue = Annotated[CurveValue, _with_a_number("value")]

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


Scores = Annotated[dict[str, dict[str, Number]], AfterValidator(_possible)]
"""Column -> metric -> value, unscaled."""
