"""Where the evaluation points of a run lie: one rule for who trains it and for who judges its records."""

from __future__ import annotations

import math
from typing import Literal

Spacing = Literal["equal", "geometric"]
"""Of evaluation points: the ends of equal parts of the budget, or each the next one divided by the
square root of two."""


def point_shares(points: int, spacing: Spacing = "equal") -> tuple[float, ...]:
    """The shares of the budget at which encoders are scored, increasing to 1.

    "equal": the ends of ``points`` equal parts, k / points. "geometric": each is the next one
    divided by the square root of two, 2 ** (-(points - k) / 2). Ten such points begin at 1/23 of
    the budget, so that large speedups can be measured, and need few cooldown steps.
    """
    if spacing == "geometric":
        return tuple(2.0 ** (-(points - part) / 2) for part in range(1, points + 1))
    return tuple(part / points for part in range(1, points + 1))


def export_steps(steps: int, points: int, spacing: Spacing = "equal") -> list[int]:
    """The steps after which an encoder is exported, increasing to ``steps``.

    Points at the same step are merged, so with few steps there are fewer than ``points``.
    """
    if spacing == "equal":
        # Integer arithmetic is exact for any number of steps.
        return sorted({-(-steps * part // points) for part in range(1, points + 1)})
    return sorted({math.ceil(steps * share) for share in point_shares(points, spacing)})
