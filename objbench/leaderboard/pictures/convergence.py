"""The convergence plot: score against what was spent, one panel per compute axis.

A thick line is the mean over the pretraining seeds, a thin one a single seed; the dashed line is
the baseline's score at the end of its budget. A hollow mark is an unfinished model, taken from the
middle of a schedule.

Shape legend: S pretraining seeds, P points of the budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from objbench.contract.meters import AXES, unit
from objbench.judge.score_arrays import Curve
from objbench.leaderboard.document import shortened
from objbench.leaderboard.pictures.drawing import (
    LONGEST_LABEL,
    QUIET,
    Look,
    logarithmic_spend,
    look,
    name_lines,
    picture,
)

# Half of the points within this share of the spend would crowd at the left of a linear axis.
_CROWDED = 0.3


def convergence_picture(
    curves: Mapping[str, Curve],
    objectives: Sequence[str],
    baseline: str,
    label: str,
    *,
    title: str = "",
    note: str = "",
    is_finished: bool = False,
    kind: str = "svg",
) -> bytes:
    """The plot as a file's bytes.

    Args:
        curves: objective -> curve.
        objectives: whose places decide how a curve looks, in the order of the plan.
        baseline: one of them.
        label: what the vertical axis shows, such as "glue score".
        title: names the study, its scale and its date.
        note: which objectives are drawn; "" for all.
        is_finished: whether points before the last are finished models too.
        kind: "svg" or "png".
    """
    drawn = {name: curve for name, curve in curves.items() if curve.whole}
    looks = {name: look(name, objectives, baseline) for name in drawn}

    def draw(panels: Sequence[Axes]) -> None:
        for index, panel in enumerate(panels):
            _draw(panel, index, drawn, looks, baseline, is_finished)
            if index % 2 == 0:
                panel.set_ylabel(shortened(label, LONGEST_LABEL))
        # Once: the panels share the vertical axis, so the names of the lower would be the same.
        ends = {name: float(c.scores[c.whole[-1]].mean()) for name, c in drawn.items()}
        name_lines(panels[1], ends, looks, is_marked=True)

    heading = [*_heading(drawn, baseline, is_finished), *([note] if note else [])]
    return picture(draw, title, heading, looks, kind)


def _heading(drawn: Mapping[str, Curve], baseline: str, is_finished: bool) -> list[str]:
    seeds = max(curve.scores.shape[1] for curve in drawn.values())
    what = "One seed." if seeds == 1 else f"Thick: mean over {seeds} seeds. Thin: single seeds."
    dashed = f" Horizontal dashed line: {baseline} at the end of its budget."
    hollow = "" if is_finished else " Hollow: learning rate not yet decayed."
    return [f"{what}{dashed if baseline in drawn else ''}{hollow}"]


def _draw(
    panel: Axes,
    axis: int,
    drawn: Mapping[str, Curve],
    looks: Mapping[str, Look],
    baseline: str,
    is_finished: bool,
) -> None:
    spends = {name: c.spend[list(c.whole), :, axis].mean(axis=1) for name, c in drawn.items()}
    together = np.concatenate(list(spends.values()))
    most = float(together.max())
    size, words = unit(AXES[axis], most)
    for name, curve in drawn.items():
        own, points = looks[name], list(curve.whole)
        scores = curve.scores[points]
        spend = spends[name] / size
        if scores.shape[1] > 1:
            each = curve.spend[points, :, axis] / size
            panel.plot(each, scores, color=own.colour, lw=0.7, alpha=0.6)
        panel.plot(spend, scores.mean(axis=1), color=own.colour, ls=own.dashes, lw=2.0)
        finished = [is_finished or point == len(curve.shares) - 1 for point in points]
        for shown, face in ((True, own.colour), (False, "white")):
            panel.plot(
                spend[[f == shown for f in finished]],
                scores.mean(axis=1)[[f == shown for f in finished]],
                color=own.colour,
                marker=own.marker,
                markerfacecolor=face,
                ms=4.0,
                lw=0,
            )
    reference = drawn.get(baseline)
    if reference is not None and len(reference.shares) - 1 in reference.whole:
        panel.axhline(float(reference.scores[-1].mean()), color=QUIET, lw=0.9, ls=(0, (5, 4)))
    if np.median(together) < _CROWDED * most:
        # Every seed's own spend must be in sight: device time differs between seeds.
        each_seed = [c.spend[list(c.whole), :, axis] for c in drawn.values()]
        low, high = min(float(s.min()) for s in each_seed), max(float(s.max()) for s in each_seed)
        logarithmic_spend(panel, low / size, high / size)
        words += ", log scale"
    else:
        panel.set_xlim(left=0)
    panel.set_xlabel(words)
