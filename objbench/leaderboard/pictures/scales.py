"""The speedup against the scale: one point per study with its interval, one series per encoder.

One panel per score. An estimate of which a bound is all that is known is a hollow triangle; an
interval runs off the panel where its end was not measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from objbench.contract.meters import unit
from objbench.judge.statistics.speedup import Bound
from objbench.leaderboard.document import shortened
from objbench.leaderboard.pictures.drawing import (
    LONGEST_LABEL,
    QUIET,
    Look,
    logarithmic_spend,
    look,
    name_lines,
    picture,
    ticks_within,
)
from objbench.leaderboard.pictures.speedup import band_edge

MOST_PANELS = 4
_TRIANGLES = {"above": "^", "below": "v"}
_ROOM = 1.3
# Series at one scale are drawn side by side, this factor apart.
_APART = 1.04
# Budgets that span more have ticks at powers of ten alone.
_WIDE = 300.0
_FEWEST_TICKS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePoint:
    """The speedup of one study.

    Attributes:
        flops: of the baseline's pretraining, positive.
        low, high: ends of the interval; None where there is none.
    """

    flops: float
    estimate: Bound
    low: Bound | None
    high: Bound | None


Panel = Mapping[str, Sequence[ScalePoint]]
"""Kind of encoder -> its studies, from the smallest budget to the largest."""


def scales_picture(
    scores: Mapping[str, Panel], label: str, *, title: str = "", kind: str = "svg"
) -> bytes:
    """The plot as a file's bytes.

    Args:
        scores: what each score is called -> its points; at most ``MOST_PANELS``, at least one
            point in each.
        label: what the vertical axis shows, such as "speedup in FLOPs".
        title: names the pair that is compared.
        kind: "svg" or "png".
    """
    names = sorted({name for panel in scores.values() for name in panel})
    looks = {name: look(name, names, "") for name in names}
    points = [p for panel in scores.values() for own in panel.values() for p in own]
    spends = [point.flops for point in points]
    ends = [b.value for p in points for b in (p.low, p.estimate, p.high) if b is not None]
    low, high = min([1.0, *ends]) / _ROOM, max([1.0, *ends]) * _ROOM
    shape = {1: (1, 1), 2: (1, 2)}.get(len(scores), (2, 2))

    def draw(panels: Sequence[Axes]) -> None:
        for panel in panels[len(scores) :]:
            panel.set_axis_off()
        for panel, (words, series) in zip(panels, scores.items(), strict=False):
            size = _frame(panel, low, high, min(spends), max(spends))
            panel.set_title(f"{shortened(words, LONGEST_LABEL)}, log scale", fontsize=9, loc="left")
            for name, own in series.items():
                shift = _APART ** _place(name, names) / size
                _draw(panel, own, looks[name], shift, low, high)
        for panel in panels[:: shape[1]]:
            panel.set_ylabel(shortened(label, LONGEST_LABEL))
        # Names stand at the right of the last panel of a row that is drawn.
        for panel, series in list(zip(panels, scores.values(), strict=False))[
            shape[1] - 1 :: shape[1]
        ]:
            last = {name: own[-1].estimate.value for name, own in series.items()}
            name_lines(panel, last, {name: looks[name] for name in last}, is_marked=True)

    alone = any(point.low is None and point.high is None for point in points)
    heading = (
        "Points: studies, with the 95% interval over seeds"
        f"{'; a point without one has too few seeds that learnt' if alone else ''}. Triangles: only a "
        "bound is known; an interval runs off the panel where its end was not measured. Encoders at "
        "one scale are drawn side by side."
    )
    return picture(draw, title, [heading], looks, kind, is_titled=True, shape=shape)


def _place(name: str, names: Sequence[str]) -> float:
    """How many places a series is to the right of the middle."""
    return names.index(name) - (len(names) - 1) / 2


def _frame(panel: Axes, low: float, high: float, first: float, last: float) -> float:
    """Both axes, logarithmic; returns the unit of the horizontal one."""
    panel.set_yscale("log")
    panel.set_ylim(low, high)
    panel.yaxis.set_major_locator(FixedLocator(_ticks(low, high)))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    panel.axhline(1.0, color=QUIET, lw=0.9)
    size, words = unit("flops", last)
    logarithmic_spend(panel, first / _ROOM / size, last * _ROOM / size)
    if last / first > _WIDE:
        powers = [t for t in ticks_within(first / size, last / size) if np.log10(t) % 1 == 0]
        panel.xaxis.set_major_locator(FixedLocator(powers))
    panel.set_xlabel(f"{words} of the baseline")
    return size


def _ticks(low: float, high: float) -> list[float]:
    """Round speedups within the range: coarse ones, or finer ones where these are too few."""
    coarse = ticks_within(low, high)
    if len(coarse) >= _FEWEST_TICKS:
        return coarse
    fine = [number / 10 for number in range(1, 101) if number % 2 == 0 or number in (5, 15)]
    return [tick for tick in fine if low <= tick <= high] or coarse


def _draw(
    panel: Axes, own: Sequence[ScalePoint], series: Look, shift: float, low: float, high: float
) -> None:
    spends = np.array([point.flops for point in own]) * shift
    lows = band_edge([point.low for point in own], "below", low)
    highs = band_edge([point.high for point in own], "above", high)
    panel.vlines(spends, lows, highs, color=series.colour, lw=1.4)
    values = np.array([point.estimate.value for point in own])
    panel.plot(spends, values, color=series.colour, ls=series.dashes, lw=0.8, alpha=0.6)
    measured = [point.estimate.side == "" for point in own]
    panel.plot(
        spends[measured], values[measured], color=series.colour, marker=series.marker, ms=5, lw=0
    )
    for side, marker in _TRIANGLES.items():
        bound = [point.estimate.side == side for point in own]
        panel.plot(
            spends[bound],
            values[bound],
            color=series.colour,
            marker=marker,
            markerfacecolor="white",
            ms=5,
            lw=0,
        )
