"""The four compute axes: their names, and the units in which pictures show them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

Axis = Literal["steps", "tokens", "flops", "seconds"]
AXES: tuple[Axis, ...] = ("steps", "tokens", "flops", "seconds")

AXIS_WORDS = {
    "steps": "steps",
    "tokens": "tokens",
    "flops": "FLOPs",
    "seconds": "device seconds",
}

# Axis -> its name in a picture, and its units, each with the smallest amount it is used for.
_UNITS: Mapping[str, tuple[str, tuple[tuple[float, float, str], ...]]] = {
    "steps": ("optimizer steps", ((1e4, 1e3, "thousands"),)),
    "tokens": ("tokens", ((1e9, 1e9, "billions"), (1e6, 1e6, "millions"), (1e3, 1e3, "thousands"))),
    "flops": ("training FLOPs", ()),
    "seconds": (
        "device time",
        ((3 * 3600.0, 3600.0, "hours"), (300.0, 60.0, "minutes"), (0.0, 1.0, "seconds")),
    ),
}
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def column_axis(column: str) -> Axis | None:
    """The compute axis of a column of a curve suite; None if the column has none."""
    return next((axis for axis in AXES if column == axis or column.endswith(f"_{axis}")), None)


def unit(axis: Axis, largest: float) -> tuple[float, str]:
    """The divisor and the label of a picture's axis that give ticks with few digits."""
    noun, choices = _UNITS[axis]
    if axis == "flops":
        exponent = 3 * math.floor(math.log10(max(largest, 1.0)) / 3)
        power = f"\N{MULTIPLICATION SIGN}10{str(exponent).translate(_RAISED)}"
        return 10.0**exponent, f"{noun} ({power})" if exponent else noun
    for least, size, words in choices:
        if largest >= least:
            return size, f"{noun} ({words})"
    return 1.0, noun
