"""The convergence plot: score against what was spent, one panel for each of the four meters.

A line is the mean over the pretraining seeds, a band their smallest to largest; the dashed line is
the baseline's score at the end of its budget. Lines are named at their right end, in their colour,
and differ in marker too. The same curves give the same bytes: no clock, no random ids, no user's
matplotlib settings, and text as paths, so that it looks the same in every browser.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from objbench.score_arrays import Curve
from objbench.suite import AXES

# Okabe and Ito's colours, told apart with every common colour blindness; grey for the baseline,
# which is the reference and not a contender. Yellow is left out: too pale for a line on white.
_BASELINE_COLOUR = "#4d4d4d"
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_MARKERS = "osD^vPX"
_STYLE = {
    "svg.hashsalt": "objbench",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#808080",
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.color": "#4d4d4d",
    "ytick.color": "#4d4d4d",
}
_UNITS: Mapping[str, tuple[str, tuple[tuple[float, str], ...]]] = {
    "steps": ("optimizer steps", ((1e4, "thousands"),)),
    "tokens": ("tokens", ((1e9, "billions"), (1e6, "millions"), (1e3, "thousands"))),
    "flops": ("training FLOPs", ()),
    "seconds": ("device time", ((3 * 3600.0, "hours"), (300.0, "minutes"), (0.0, "seconds"))),
}
_SIZES = {"thousands": 1e3, "millions": 1e6, "billions": 1e9, "hours": 3600.0, "minutes": 60.0}


def is_drawable(curves: Mapping[str, Curve]) -> bool:
    """Whether some objective has two whole points: fewer make no line."""
    return any(len(curve.whole) > 1 for curve in curves.values())


def convergence_picture(
    curves: Mapping[str, Curve], baseline: str, label: str, kind: str = "svg"
) -> bytes:
    """The plot as a file's bytes.

    Args:
        curves: objective -> curve, in the order of the plan.
        label: what the vertical axis shows, such as "glue score".
        kind: "svg" or "png".
    """
    metadata = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    with matplotlib.style.context(["default", _STYLE]):
        layout = ConstrainedLayoutEngine(wspace=0.06, hspace=0.06)
        figure = Figure(figsize=(8.4, 6.0), layout=layout)
        panels: Sequence[Axes] = figure.subplots(2, 2, sharey=True).flatten().tolist()
        for number, (axis, panel) in enumerate(zip(AXES, panels, strict=True)):
            _draw(panel, AXES.index(axis), curves, baseline)
            if number % 2 == 0:
                panel.set_ylabel(label)
            else:
                panel.tick_params(axis="y", left=False)
        figure.suptitle(_key(curves, baseline), x=0.01, ha="left", fontsize=9, color="#4d4d4d")
        # Places of labels depend on the limits, which are settled only when all is drawn.
        for panel in panels[1::2]:
            _name_lines(panel, curves, baseline)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, metadata=metadata, dpi=150)
    return buffer.getvalue()


def spread_out(wanted: Sequence[float], gap: float) -> list[float]:
    """Positions near ``wanted``, in the same order, at least ``gap`` apart.

    Neighbours that are too close form a block centred on the mean of what they wanted; blocks
    that touch are merged.
    """
    order = np.argsort(np.array(wanted), kind="stable")
    blocks: list[list[int]] = []
    for index in order:
        blocks.append([int(index)])
        while (
            len(blocks) > 1 and _low(blocks[-1], wanted, gap) - _high(blocks[-2], wanted, gap) < gap
        ):
            last = blocks.pop()
            blocks[-1] += last
    placed = [0.0] * len(wanted)
    for block in blocks:
        low = _low(block, wanted, gap)
        for offset, index in enumerate(block):
            placed[index] = low + offset * gap
    return placed


def _low(block: list[int], wanted: Sequence[float], gap: float) -> float:
    centre = sum(wanted[index] for index in block) / len(block)
    return centre - gap * (len(block) - 1) / 2


def _high(block: list[int], wanted: Sequence[float], gap: float) -> float:
    return _low(block, wanted, gap) + gap * (len(block) - 1)


def _look(name: str, curves: Mapping[str, Curve], baseline: str) -> tuple[str, str]:
    """Colour and marker of an objective: by its place in the plan, never by its score."""
    if name == baseline:
        return _BASELINE_COLOUR, _MARKERS[0]
    place = [other for other in curves if other != baseline].index(name)
    return _COLOURS[place % len(_COLOURS)], _MARKERS[1 + place % (len(_MARKERS) - 1)]


def _key(curves: Mapping[str, Curve], baseline: str) -> str:
    seeds = max(curve.scores.shape[1] for curve in curves.values())
    what = (
        "One pretraining seed."
        if seeds == 1
        else f"Lines: mean over {seeds} pretraining seeds. Bands: smallest to largest."
    )
    return f"{what} Dashed: {baseline} at the end of its budget."


def _draw(panel: Axes, axis: int, curves: Mapping[str, Curve], baseline: str) -> None:
    drawn = {name: curve for name, curve in curves.items() if curve.whole}
    largest = max(float(c.spend[list(c.whole), :, axis].max()) for c in drawn.values())
    size, words = _unit(AXES[axis], largest)
    for name, curve in drawn.items():
        points = list(curve.whole)
        colour, marker = _look(name, curves, baseline)
        spend = curve.spend[points, :, axis].mean(axis=1) / size
        scores = curve.scores[points]
        panel.fill_between(
            spend, scores.min(axis=1), scores.max(axis=1), color=colour, alpha=0.16, linewidth=0
        )
        panel.plot(spend, scores.mean(axis=1), color=colour, marker=marker, ms=4.0, lw=1.6)
    reference = drawn.get(baseline)
    if reference is not None and len(reference.shares) - 1 in reference.whole:
        panel.axhline(
            float(reference.scores[-1].mean()), color=_BASELINE_COLOUR, lw=0.9, ls=(0, (5, 4))
        )
    panel.set_xlim(left=0)
    panel.set_xlabel(words)


def _unit(axis: str, largest: float) -> tuple[float, str]:
    """What to divide by, and the axis label, so that the ticks are short numbers."""
    noun, choices = _UNITS[axis]
    if axis == "flops":
        exponent = 3 * int(np.floor(np.log10(max(largest, 1.0)) / 3))
        return 10.0**exponent, rf"{noun} ($\times 10^{{{exponent}}}$)" if exponent else noun
    for threshold, words in choices:
        if largest >= threshold:
            return _SIZES.get(words, 1.0), f"{noun} ({words})"
    return 1.0, noun


def _name_lines(panel: Axes, curves: Mapping[str, Curve], baseline: str) -> None:
    ends = {n: float(c.scores[c.whole[-1]].mean()) for n, c in curves.items() if c.whole}
    low, high = panel.get_ylim()
    # A line of 9-point text is about a fifteenth of a panel's height.
    heights = spread_out(list(ends.values()), (high - low) / 15)
    for (name, end), height in zip(ends.items(), heights, strict=True):
        panel.annotate(
            name,
            xy=(1.0, end),
            xytext=(1.03, height),
            xycoords=panel.get_yaxis_transform(),
            textcoords=panel.get_yaxis_transform(),
            color=_look(name, curves, baseline)[0],
            va="center",
            fontweight="bold" if name != baseline else "normal",
            annotation_clip=False,
        )
