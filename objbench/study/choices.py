"""The settings that are one of a few words, named once; no pydantic, for the command line."""

from __future__ import annotations

from typing import Literal

Schedule = Literal["linear", "constant", "trunk"]
"""Of the learning rate: linear decay; constant with a linear decay at the end; or constant with a
cooldown branch for every evaluation point."""

Precision = Literal["fp32", "bf16", "fp16"]
"""Number format of activations and gradients."""

Spacing = Literal["equal", "geometric"]
"""Of evaluation points: the ends of equal parts of the budget, or each the next one divided by the
square root of two."""
