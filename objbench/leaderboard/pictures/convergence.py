"""The convergence plot: score against what was spent, one panel per compute axis.

A thick line is the mean over the pretraining seeds, a thin one a single seed; a run that is stuck is
thin and dashed, and in no mean. The dashed horizontal line is the baseline's score at the end of its
budget. A hollow mark is an unfinished model, taken from the middle of a schedule. Reference lines
are thin, dotted and named; of these the bigram line is always in sight, the others where they lie
within what is drawn.

Shape legend: S pretraining seeds, P points of the budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
    spread_out,
    within_panel,
)
from objbench.leaderboard.pictures.drawn_curve import DrawnCurve
from objbench.leaderboard.run_learning import BoolArray

# Of a panel's height: a name of a reference line, in letters of 7 points.
_SMALL_LINE = 1 / 19
_ROOM = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class References:
    """What the curves of a loss are compared with.

    Attributes:
        values: name of each reference line -> the loss.
        needed: the names of those that are always in sight.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    needed: tuple[str, ...] = ()


NO_REFERENCES = References()

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
    counted: Mapping[str, BoolArray] | None = None,
    references: References = NO_REFERENCES,
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
        counted: objective -> (S,) bool, the seeds whose run is not stuck; all when None.
        references: the reference lines.
        kind: "svg", "png" or "pdf".
    """
    drawn = {
        name: DrawnCurve.of(curve, None if counted is None else counted[name])
        for name, curve in curves.items()
        if curve.whole
    }
    looks = {name: look(name, objectives, baseline) for name in drawn}
    low, high = _limits(drawn, references)
    inside = {n: value for n, value in references.values.items() if low <= value <= high}

    def draw(panels: Sequence[Axes]) -> None:
        for index, panel in enumerate(panels):
            panel.set_ylim(low, high)
            _draw(panel, index, drawn, looks, baseline, is_finished)
            for value in inside.values():
                panel.axhline(value, color=QUIET, lw=0.6, ls=(0, (1, 2)))
            if index % 2 == 0:
                panel.set_ylabel(shortened(label, LONGEST_LABEL))
                _name_references(panel, inside)
        # Once: the panels share the vertical axis, so the names of the lower would be the same.
        ends = {name: own.end for name, own in drawn.items()}
        name_lines(panels[1], ends, looks, is_marked=True)

    heading = [
        *_heading(drawn, baseline, is_finished),
        *_reference_words(references, inside),
        *([note] if note else []),
    ]
    return picture(draw, title, heading, looks, kind)


def _limits(drawn: Mapping[str, DrawnCurve], references: References) -> tuple[float, float]:
    """The range of the vertical axis: every seed's scores and the lines that are needed."""
    values = [float(end) for own in drawn.values() for end in (own.scores.min(), own.scores.max())]
    values += [references.values[name] for name in references.needed if name in references.values]
    low, high = min(values), max(values)
    room = _ROOM * (high - low) or _ROOM * abs(high) or _ROOM
    return low - room, high + room


def _name_references(panel: Axes, inside: Mapping[str, float]) -> None:
    """Write the names of the reference lines above their lines, where the curves are not.

    Losses fall: that is at the right of the upper half and at the left of the lower half. Where
    there are curves after all, they show through the names' ground.
    """
    bottom, top = panel.get_ylim()
    places = {name: (value - bottom) / (top - bottom) for name, value in inside.items()}
    for x, side, names in (
        (0.99, "right", [name for name, place in places.items() if place >= 0.5]),
        (0.01, "left", [name for name, place in places.items() if place < 0.5]),
    ):
        wanted = [places[name] + _SMALL_LINE / 2 for name in names]
        heights = within_panel(spread_out(wanted, _SMALL_LINE), _SMALL_LINE)
        for name, height in zip(names, heights, strict=True):
            panel.annotate(
                f"{shortened(name, LONGEST_LABEL)} {inside[name]:.2f}",
                xy=(x, height),
                xycoords="axes fraction",
                color=QUIET,
                fontsize=7,
                va="center",
                ha=side,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.4},
            )


def _reference_words(references: References, inside: Mapping[str, float]) -> list[str]:
    if not references.values:
        return []
    beyond = [
        f"{name} {value:.2f}" for name, value in references.values.items() if name not in inside
    ]
    outside = f" Outside the picture: {', '.join(beyond)}." if beyond else ""
    return [f"Dotted: simple counts of the training text.{outside}"]


def _heading(drawn: Mapping[str, DrawnCurve], baseline: str, is_finished: bool) -> list[str]:
    seeds = max(own.scores.shape[1] for own in drawn.values())
    stuck = [f"{name} {own.stuck} of {seeds}" for name, own in drawn.items() if own.stuck]
    over = "runs that learnt" if stuck else f"{seeds} seeds"
    what = "One seed." if seeds == 1 else f"Thick: mean over {over}. Thin: single seeds."
    if stuck:
        what += f" Thin, dashed: stuck runs ({', '.join(stuck)}), in no mean."
    has_end = baseline in drawn and drawn[baseline].has_end
    dashed = f" Horizontal dashed line: {baseline} at the end of its budget." if has_end else ""
    hollow = "" if is_finished else " Hollow: learning rate not yet decayed."
    return [f"{what}{dashed}{hollow}"]


def _draw(
    panel: Axes,
    axis: int,
    drawn: Mapping[str, DrawnCurve],
    looks: Mapping[str, Look],
    baseline: str,
    is_finished: bool,
) -> None:
    spends = {name: c.mean_spend(axis) for name, c in drawn.items()}
    together = np.concatenate(list(spends.values()))
    most = float(together.max())
    size, words = unit(AXES[axis], most)
    for name, curve in drawn.items():
        own = looks[name]
        spend, means = spends[name] / size, curve.means
        each = curve.spend[:, :, axis] / size
        learnt = curve.counted & (not curve.is_stuck)
        if curve.scores.shape[1] > 1:
            panel.plot(
                each[:, learnt], curve.scores[:, learnt], color=own.colour, lw=0.7, alpha=0.6
            )
        if curve.stuck:
            stuck = each[:, ~learnt], curve.scores[:, ~learnt]
            panel.plot(*stuck, color=own.colour, lw=0.9, alpha=0.8, ls=(0, (3, 2)))
        if curve.is_stuck:
            continue
        panel.plot(spend, means, color=own.colour, ls=own.dashes, lw=2.0)
        finished = curve.finished(is_finished)
        for shown, face in ((True, own.colour), (False, "white")):
            panel.plot(
                spend[finished == shown],
                means[finished == shown],
                color=own.colour,
                marker=own.marker,
                markerfacecolor=face,
                ms=4.0,
                lw=0,
            )
    reference = drawn.get(baseline)
    if reference is not None and reference.has_end:
        panel.axhline(reference.end, color=QUIET, lw=0.9, ls=(0, (5, 4)))
    if np.median(together) < _CROWDED * most:
        # Every seed's own spend must be in sight: device time differs between seeds.
        each_seed = [c.spend[:, :, axis] for c in drawn.values()]
        low, high = min(float(s.min()) for s in each_seed), max(float(s.max()) for s in each_seed)
        logarithmic_spend(panel, low / size, high / size)
        words += ", log scale"
    else:
        panel.set_xlim(left=0)
    panel.set_xlabel(words)
