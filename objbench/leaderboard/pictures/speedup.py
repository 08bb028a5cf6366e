"""The speedup plot: how many times faster each objective reaches each score of the baseline.

One panel per compute axis. The target runs along the baseline's own mean curve, so that one number
cannot be picked from it; the band is the 95% interval at each target by itself. What
was not measured is drawn as not known: a band runs off the panel where its end was not measured,
and a hollow triangle stands for an estimate of which a bound is all that is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from objbench.contract.meters import AXES, AXIS_WORDS, Axis
from objbench.judge.formatting import named
from objbench.judge.statistics.estimate import FloatArray
from objbench.judge.statistics.speedup import Bound, SpeedupAt
from objbench.leaderboard.document import shortened
from objbench.leaderboard.pictures.drawing import (
    LONGEST_LABEL,
    QUIET,
    Look,
    look,
    name_lines,
    picture,
    ticks_within,
)

Functions = Mapping[Axis, Sequence[SpeedupAt]]
"""Axis -> the speedup at each target, by rising target."""

_TRIANGLES = {"above": "^", "below": "v"}
# Room around the values, as a factor.
_ROOM = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedSpeedup:
    """A paper's claim, to be drawn as a dotted line in the panel of its axis.

    Attributes:
        words: such as "claimed: up to 5x".
    """

    objective: str
    axis: Axis
    value: float
    words: str


def speedup_picture(
    found: Mapping[str, Functions],
    objectives: Sequence[str],
    baseline: str,
    label: str,
    *,
    title: str = "",
    note: str = "",
    sign: float = 1.0,
    claims: Sequence[ClaimedSpeedup] = (),
    kind: str = "svg",
) -> bytes:
    """The plot as a file's bytes.

    Args:
        found: objective -> its speedups on each axis that was measured.
        objectives: all of the study, in the order of the plan.
        baseline: one of them.
        label: what the targets are, such as "mlm's glue score".
        title: names the study, its scale and its date.
        note: which objectives are drawn; "" for all.
        sign: -1 where the targets are turned losses: they are shown as losses, falling.
        claims: of these objectives.
        kind: "svg", "png" or "pdf".
    """
    looks = {name: look(name, objectives, baseline) for name in found}
    low, high = _limits(found, claims)

    def draw(panels: Sequence[Axes]) -> None:
        for panel, axis in zip(panels, AXES, strict=True):
            _frame(panel, low, high, f"{label} (target)", is_falling=sign < 0)
            panel.set_title(f"speedup in {AXIS_WORDS[axis]}, log scale", fontsize=9, loc="left")
            for name, functions in found.items():
                if functions.get(axis):
                    _draw(panel, functions[axis], looks[name], sign, low, high)
            missing = [name for name, functions in found.items() if not functions.get(axis)]
            if missing:
                _say_unmeasured(panel, axis, missing if len(missing) < len(found) else [])
            for claim in claims:
                if claim.axis == axis:
                    _draw_claim(panel, claim, looks[claim.objective])
        for panel, axis in list(zip(panels, AXES, strict=True))[1::2]:
            ends = {n: f[axis][-1].estimate.value for n, f in found.items() if f.get(axis)}
            name_lines(panel, ends, looks, is_marked=False)

    heading = [*_heading(found), *([note] if note else [])]
    return picture(draw, title, heading, looks, kind, is_titled=True)


def _heading(found: Mapping[str, Functions]) -> list[str]:
    ends = [at.low for functions in found.values() for f in functions.values() for at in f]
    triangles = "Triangles: only a bound is known (faster, or slower, than drawn)."
    if any(end is not None for end in ends):
        bands = "Bands: 95% interval at each target by itself; where a band runs off the panel,"
        return [f"Lines: estimates. {bands} its end was not measured. {triangles}"]
    return [f"Lines: estimates; too few seeds for an interval. {triangles}"]


def _limits(
    found: Mapping[str, Functions], claims: Sequence[ClaimedSpeedup]
) -> tuple[float, float]:
    """The range of the vertical axis: everything that is known, and 1."""
    values = [1.0, *(claim.value for claim in claims)]
    for functions in found.values():
        for function in functions.values():
            for at in function:
                known = (at.low, at.estimate, at.high)
                values += [bound.value for bound in known if bound is not None]
    return min(values) / _ROOM, max(values) * _ROOM


def _frame(panel: Axes, low: float, high: float, label: str, *, is_falling: bool) -> None:
    panel.set_yscale("log")
    panel.set_ylim(low, high)
    panel.yaxis.set_major_locator(FixedLocator(ticks_within(low, high)))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    panel.axhline(1.0, color=QUIET, lw=0.9)
    panel.set_xlabel(shortened(label, LONGEST_LABEL))
    if is_falling and not panel.xaxis_inverted():
        panel.invert_xaxis()


def _draw(
    panel: Axes, function: Sequence[SpeedupAt], own: Look, sign: float, low: float, high: float
) -> None:
    targets = sign * np.array([at.target for at in function])
    lows = band_edge([at.low for at in function], "below", low)
    highs = band_edge([at.high for at in function], "above", high)
    panel.fill_between(targets, lows, highs, color=own.colour, alpha=0.16, linewidth=0)
    for ends in ([at.low for at in function], [at.high for at in function]):
        panel.plot(targets, _measured(ends), color=own.colour, lw=0.6, alpha=0.6)
    estimates = [at.estimate for at in function]
    panel.plot(targets, _measured(estimates), color=own.colour, ls=own.dashes, lw=1.6)
    if len(function) == 1 and not estimates[0].side:
        panel.plot(targets, _measured(estimates), color=own.colour, marker=own.marker, ms=4.0)
    for side, marker in _TRIANGLES.items():
        values = [bound.value if bound.side == side else np.nan for bound in estimates]
        panel.plot(
            targets, values, color=own.colour, marker=marker, markerfacecolor="white", ms=4.0, lw=0
        )


def _say_unmeasured(panel: Axes, axis: Axis, names: Sequence[str]) -> None:
    """Say why a panel lacks a line: of ``names``, or of all where none is named."""
    who = f" for {named(names)}" if names else ""
    text = f"not measured{who}: the seeds share no range of {AXIS_WORDS[axis]}"
    panel.text(
        0.5,
        0.03,
        shortened(text, 2 * LONGEST_LABEL).replace(": ", ":\n"),
        transform=panel.transAxes,
        color=QUIET,
        fontsize=8,
        ha="center",
        va="bottom",
    )


def _draw_claim(panel: Axes, claim: ClaimedSpeedup, own: Look) -> None:
    panel.axhline(claim.value, color=own.colour, lw=1.2, ls=":")
    panel.annotate(
        claim.words,
        xy=(0.01, claim.value),
        xycoords=panel.get_yaxis_transform(),
        xytext=(0, 2),
        textcoords="offset points",
        color=own.colour,
        fontsize=8,
        va="bottom",
        # Legible where a band lies under it.
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.8},
    )


def band_edge(ends: Sequence[Bound | None], open_side: str, limit: float) -> FloatArray:
    """Where a band ends: at the panel's ``limit`` where all beyond is possible."""
    return np.array(
        [np.nan if e is None else limit if e.side == open_side else e.value for e in ends]
    )


def _measured(bounds: Sequence[Bound | None]) -> FloatArray:
    """The values that were measured; NaN for the others."""
    return np.array([b.value if b is not None and not b.side else np.nan for b in bounds])
