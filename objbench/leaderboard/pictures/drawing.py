"""What the pictures share: one panel per compute axis, lines named at their right, fixed bytes.

The same numbers give the same bytes: no clock, no random ids, no user's matplotlib settings, and
text as paths, so that it looks the same in every browser.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from objbench.leaderboard.document import shortened

# Okabe and Ito's colours, distinct with every common colour blindness; grey for the baseline,
# which is the reference and not a contender. Yellow is left out: too pale for a line on white.
BASELINE_COLOUR = "#4d4d4d"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
MARKERS = "osD^vPX"
# One for each time that the colours are used up.
DASHES = ("-", (0, (4, 1.2)), (0, (1, 1)))
DISTINCT = 1 + len(COLOURS) * len(DASHES)
"""How many objectives look different from each other, the baseline among them."""
_FONT, _POINTS = "DejaVu Sans", 9.0
_STYLE = {
    # Names and titles may be foreign, and are no formulas.
    "text.parse_math": False,
    "svg.hashsalt": "objbench",
    "svg.fonttype": "path",
    "font.family": _FONT,
    "font.size": _POINTS,
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
QUIET = "#4d4d4d"
# What a file would otherwise say of the clock and of the versions that made it.
_METADATA: Mapping[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
# In characters: a longer name would leave no room for the panels.
_LONGEST_NAME, LONGEST_LABEL, _LONGEST_LINE = 30, 50, 118
# In inches; names and numbers are 9 points high, and a letter is about 0.075 wide.
_WIDTH, _LEFT, _BOTTOM, _PANEL, _LINE, _LETTER = 8.4, 0.62, 0.5, 2.35, 0.17, 0.078
_TITLE, _SAMPLE = 0.22, 0.34


@dataclass(frozen=True, slots=True)
class Look:
    """How an objective is drawn: by its place in the plan, never by its score."""

    colour: str
    marker: str
    weight: str
    dashes: str | tuple[int, tuple[float, ...]] = "-"


def look(name: str, objectives: Sequence[str], baseline: str) -> Look:
    """The look of an objective.

    Args:
        name: one of ``objectives``.
        objectives: all of the study, in the order of the plan.
        baseline: is grey and not bold.
    """
    if name == baseline:
        return Look(BASELINE_COLOUR, MARKERS[0], "normal")
    place = [other for other in objectives if other != baseline].index(name)
    turn, colour = divmod(place, len(COLOURS))
    # Another marker in each turn: a colour that comes again has neither dashes nor marker in common.
    marker = MARKERS[1 + (place + turn) % (len(MARKERS) - 1)]
    return Look(COLOURS[colour], marker, "bold", DASHES[turn % len(DASHES)])


def picture(
    draw: Callable[[Sequence[Axes]], None],
    title: str,
    heading: Sequence[str],
    looks: Mapping[str, Look],
    kind: str,
    *,
    is_titled: bool = False,
    shape: tuple[int, int] = (2, 2),
) -> bytes:
    """A figure of panels as a file's bytes; two by two, unless another ``shape`` is given.

    Args:
        draw: draws into the panels, row by row.
        title: above all, in bold; "" for none.
        heading: sentences below it, each on lines of its own.
        looks: of what ``name_lines`` will write at the right of the panels, for its width.
        kind: "svg", "png" or "pdf".
        is_titled: whether every panel has a title, for which there must be room.
        shape: rows and columns of panels.
    """
    rows, columns = shape
    lines = [part for line in heading for part in textwrap.wrap(line, _LONGEST_LINE)]
    metadata = _METADATA[kind]
    above = _TITLE if is_titled else 0.0
    top = 0.16 + _LINE * (len(lines) + bool(title)) + above
    height = top + rows * (_PANEL + _BOTTOM) + (rows - 1) * above
    sample = _SAMPLE if _colours_repeat(looks) else 0.0
    with matplotlib.style.context(["default", _STYLE]):
        # Names begin at a share of a panel's width, which one alone has more of.
        right = 0.12 + 0.08 * (columns == 1) + sample + max(map(_inches, looks), default=0)
        figure = Figure(figsize=(_WIDTH, height))
        # By hand: a layout engine draws everything once more, for the same places.
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        panels: Sequence[Axes] = grid.flatten().tolist()
        figure.subplots_adjust(
            left=_LEFT / _WIDTH,
            right=1 - right / _WIDTH,
            top=1 - top / height,
            bottom=_BOTTOM / height,
            wspace=0.1,
            hspace=(_BOTTOM + above) / _PANEL,
        )
        for panel in grid[:, 1:].flatten().tolist():
            panel.tick_params(axis="y", left=False)
        place, line = (0.1 / _WIDTH, 1 - 0.08 / height), _LINE / height
        figure.text(*place, shortened(title, _LONGEST_LINE), va="top", weight="bold")
        under = (place[0], place[1] - bool(title) * line)
        figure.text(*under, "\n".join(lines), va="top", color=QUIET, linespacing=1.25)
        draw(panels)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, metadata=metadata, dpi=150)
    return buffer.getvalue()


def name_lines(
    panel: Axes, ends: Mapping[str, float], looks: Mapping[str, Look], *, is_marked: bool
) -> None:
    """Write the names at the right of ``panel`` at the heights where their lines end.

    To be called when the limits are settled: the places depend on them.

    Args:
        is_marked: whether the lines have their markers.
    """
    to_share = panel.get_yaxis_transform() + panel.transAxes.inverted()
    wanted = [float(to_share.transform((1.0, end))[1]) for end in ends.values()]
    # A line of 9-point text is about a fifteenth of a panel's height.
    heights = within_panel(
        spread_out([min(max(share, 0.0), 1.0) for share in wanted], 1 / 15), 1 / 15
    )
    repeats = _colours_repeat(looks)
    for name, height in zip(ends, heights, strict=True):
        own = looks[name]
        if repeats:  # the colour alone does not tell whose line it is
            panel.plot(
                (1.01, 1.06, 1.11),
                (height,) * 3,
                transform=panel.transAxes,
                color=own.colour,
                ls=own.dashes,
                lw=1.2,
                marker=own.marker if is_marked else "",
                markevery=(1, 5),
                ms=3.5,
                clip_on=False,
            )
        panel.annotate(
            shortened(name, _LONGEST_NAME),
            xy=(1.125 if repeats else 1.02, height),
            xycoords="axes fraction",
            color=own.colour,
            va="center",
            fontweight=own.weight,
            annotation_clip=False,
        )


def _colours_repeat(looks: Mapping[str, Look]) -> bool:
    """Whether a name needs a piece of its line before it."""
    return any(own.dashes != DASHES[0] for own in looks.values())


def _inches(name: str) -> float:
    """The width of a name; of a short one rather more than it needs."""
    name = shortened(name, _LONGEST_NAME)
    bold = FontProperties(family=_FONT, weight="bold")
    exact = float(TextPath((0, 0), name, size=_POINTS, prop=bold).get_extents().x1) / 72
    return max(_LETTER * len(name), exact)


def logarithmic_spend(panel: Axes, low: float, high: float) -> None:
    """A logarithmic axis of spend from ``low`` to ``high``, with ticks at 1, 2 and 5 or at all digits."""
    low, high = low / 1.12, high * 1.12
    panel.set_xscale("log")
    panel.set_xlim(low, high)
    coarse = ticks_within(low, high)
    ticks = coarse if len(coarse) > 1 else ticks_within(low, high, range(1, 10))
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def ticks_within(low: float, high: float, digits: Sequence[int] = (1, 2, 5)) -> list[float]:
    """The ``digits`` times a power of ten within ``low`` and ``high``, both positive."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    steps = [step * 10.0**power for power in range(first, last + 1) for step in digits]
    return [step for step in steps if low <= step <= high]


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


def within_panel(heights: Sequence[float], gap: float) -> list[float]:
    """``heights`` moved down as little as keeps all at 1 or below, at least ``gap`` apart.

    Names above the panel would run into the title.
    """
    placed, limit = list(heights), 1.0
    for index in sorted(range(len(placed)), key=lambda own: -heights[own]):
        placed[index] = min(placed[index], limit)
        limit = placed[index] - gap
    return placed


def _low(block: list[int], wanted: Sequence[float], gap: float) -> float:
    centre = sum(wanted[index] for index in block) / len(block)
    return centre - gap * (len(block) - 1) / 2


def _high(block: list[int], wanted: Sequence[float], gap: float) -> float:
    return _low(block, wanted, gap) + gap * (len(block) - 1)
